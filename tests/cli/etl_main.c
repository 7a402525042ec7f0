/* SPDX-License-Identifier: Apache-2.0 */
int run_pipeline(const char *dag);
int stage_load(int n);
void tiny(void);
__attribute__((noinline, noipa)) static int call_llm(const char *token)
{
    return token[0] + stage_load(3);
}
int main(int argc, char **argv)
{
    (void)argc;
    tiny();
    return run_pipeline(argv[0]) + call_llm(argv[0]);
}
