#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A man page for each command and completions for three shells, from what the
commands say of themselves (`handspan COMMAND --help`), so that there is one text.

usage: command_man.py HANDSPAN OUT      writes OUT/man/man1/handspan-COMMAND.1,
       OUT/bash-completion/completions/handspan, OUT/zsh/_handspan,
       OUT/fish/vendor_completions.d/handspan.fish
"""
import pathlib
import re
import subprocess
import sys
import typing


class Option(typing.NamedTuple):
    letter: str
    name: str
    value: str
    help: str


class Command(typing.NamedTuple):
    name: str
    usage: str
    about: str  # one paragraph
    options: list


OPTION = re.compile(r"^  (?:-(\w), |    )--([\w-]+)(?:\[?=([^ ]+?)\]?)?(?:  +(.*))?$")


def said(handspan, *args):
    return subprocess.run([handspan, *args], stdout=subprocess.PIPE, check=True,
                          text=True, stdin=subprocess.DEVNULL).stdout


def names(handspan):
    text = said(handspan, "help")
    found = re.findall(r"(?:^  handspan|\| ?)\s*([a-z]+)\b(?= |\n|$)", text, re.M)
    return list(dict.fromkeys(found))


def command(handspan, name):
    text = said(handspan, name, "--help")
    usage, _, rest = text.partition("\n\n")
    about, options = [], []
    for line in rest.split("\n"):
        match = OPTION.match(line)
        if match:
            options.append(Option(*(part or "" for part in match.groups())))
        elif options and line.startswith(" " * 8) and line.strip():
            last = options[-1]
            options[-1] = last._replace(help=f"{last.help} {line.strip()}".strip())
        elif not options:
            about.append(line)
    return Command(name, usage.removeprefix("Usage: "), "\n".join(about).strip(), options)


def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    return "\\&" + text if text.startswith(".") else text


def page(c, version):
    first = re.split(r"[.;:](?:\s|$)", c.about.replace("\n", " "))[0]
    out = [".\\\" Made from 'handspan %s --help' by docs/command_man.py." % c.name,
           ".\\\" SPDX-License-Identifier: Apache-2.0",
           f'.TH HANDSPAN-{c.name.upper()} 1 "" "{version}" "User Commands"',
           ".SH NAME", f"handspan\\-{c.name} \\- {roff(first[:1].lower() + first[1:])}",
           ".SH SYNOPSIS", roff(c.usage.replace("\n", " ")), ".SH DESCRIPTION"]
    out += [roff(line) if line else ".PP" for line in c.about.split("\n")]
    out.append(".SH OPTIONS")
    for o in c.options:
        letter = f"\\fB\\-{o.letter}\\fR, " if o.letter else ""
        value = f"=\\fI{roff(o.value)}\\fR" if o.value else ""
        out += [".TP", f"{letter}\\fB\\-\\-{roff(o.name)}\\fR{value}", roff(o.help)]
    out += [".SH SEE ALSO", ".BR handspan (1),", ".BR handspan\\-manifest (5)", ""]
    return "\n".join(out)


def quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"


def bash(commands):
    cases = "\n".join(
        f"    {c.name}) words={quoted(' '.join('--' + o.name + ('=' if o.value else '') for o in c.options))} ;;"
        for c in commands)
    return f"""# Made by docs/command_man.py: completion of handspan for bash.
_handspan()
{{
    local words i command= at=${{COMP_WORDS[COMP_CWORD]}}
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${{COMP_WORDS[i]}} in
        --) [ "$command" = run ] && {{ _command_offset $((i + 1)) 2>/dev/null; return; }} ;;
        -*) ;;
        *) [ -z "$command" ] && command=${{COMP_WORDS[i]}} ;;
        esac
    done
    if [ -z "$command" ]; then
        COMPREPLY=($(compgen -W {quoted(' '.join(c.name for c in commands))} -- "$at"))
        return
    fi
    case $command in
{cases}
    *) words= ;;
    esac
    if [[ $at == -* ]]; then
        COMPREPLY=($(compgen -W "$words" -- "$at"))
        [[ ${{COMPREPLY[0]}} == *= ]] && compopt -o nospace
    else
        COMPREPLY=($(compgen -f -- "$at"))
    fi
}}
complete -o filenames -F _handspan handspan
"""


def zsh(commands):
    def text(value):
        return re.sub(r"([\[\]:])", r"\\\1", value)
    list_ = "\n".join(f"        {quoted(c.name + ':' + text(summary(c)))}" for c in commands)
    cases = []
    for c in commands:
        specs = " ".join(quoted("--" + o.name + ("=" if o.value else "") + f"[{text(o.help)}]" +
                                (f":{text(o.value)}:_files" if o.value else ""))
                         for o in c.options)
        cases.append(f"    {c.name}) _arguments {specs} '*:file:_files' ;;")
    return f"""#compdef handspan
# Made by docs/command_man.py: completion of handspan for zsh.
_handspan() {{
    local -a commands
    commands=(
{list_}
    )
    if (( CURRENT == 2 )); then
        _describe command commands
        return
    fi
    local command=$words[2]
    shift words
    (( CURRENT-- ))
    case $command in
{chr(10).join(cases)}
    *) _files ;;
    esac
}}
_handspan "$@"
"""


def fish(commands):
    out = ["# Made by docs/command_man.py: completion of handspan for fish."]
    for c in commands:
        out.append(f"complete -c handspan -n __fish_use_subcommand -f -a {c.name}"
                   f" -d {quoted(summary(c))}")
        for o in c.options:
            letter = f" -s {o.letter}" if o.letter else ""
            needs = " -r" if o.value else ""
            out.append(f"complete -c handspan -n '__fish_seen_subcommand_from {c.name}'"
                       f"{letter} -l {o.name}{needs} -d {quoted(o.help)}")
    return "\n".join(out) + "\n"


def summary(c):
    return re.split(r"[.;:](?:\s|$)", c.about.replace("\n", " "))[0]


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def main():
    handspan, out = sys.argv[1], pathlib.Path(sys.argv[2])
    version = said(handspan, "version").split("\n")[0]
    commands = [command(handspan, name) for name in names(handspan)
                if name not in ("version", "help")]
    for c in commands:
        write(out / f"man/man1/handspan-{c.name}.1", page(c, version))
    write(out / "bash-completion/completions/handspan", bash(commands))
    write(out / "zsh/_handspan", zsh(commands))
    write(out / "fish/vendor_completions.d/handspan.fish", fish(commands))


main()
