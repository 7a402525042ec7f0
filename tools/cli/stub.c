#include "tools/cli/commands.h"
int cmd_check(int argc, char **argv)
{
    (void)argc, (void)argv;
    return 2;
}
int sidecar_main(int argc, char **argv);
int sidecar_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    return 2;
}
