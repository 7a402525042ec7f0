#include "tools/cli/commands.h"
int cmd_run(int argc, char **argv)
{
    (void)argc, (void)argv;
    return 2;
}
int cmd_env(int argc, char **argv)
{
    (void)argc, (void)argv;
    return 2;
}
int cmd_check(int argc, char **argv)
{
    (void)argc, (void)argv;
    return 2;
}
int cmd_status(int argc, char **argv)
{
    (void)argc, (void)argv;
    return 2;
}
int cmd_off(int argc, char **argv)
{
    (void)argc, (void)argv;
    return 2;
}
int cmd_on(int argc, char **argv)
{
    (void)argc, (void)argv;
    return 2;
}
int cmd_sidecar(int argc, char **argv)
{
    (void)argc, (void)argv;
    return 2;
}
