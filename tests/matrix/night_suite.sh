#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A library's own test suite, from Debian's source (apt-get source), untraced
# and with every function of the library bound that can be: the same tests pass.
# How many functions are refused and why is printed. Nightly: minutes of CPU.
#
#   night_suite.sh PRELOAD HANDSPAN NAME   (gmp zlib lua sqlite blas crypto)
#
# SOURCES: a folder with sources fetched before. LUA_TESTS: Lua's tests, which
# Debian's source does not have; else they come from lua.org.
set -Eeuo pipefail
preload=$1 handspan=$2 name=$3
[ -f "$preload" ] || { echo "no such library: $preload"; exit 1; }
top=$(mktemp -d "${TMPDIR:-/tmp}/handspan-suite-XXXXXX")
trap 'rm -rf "$top"' EXIT
trap 'echo "failed: line $LINENO, status $?"' ERR
cd "$top"

skip() { echo "skipped: $*"; exit 77; }

# An apt of our own, so that nobody's sources are touched.
get_source() { # PACKAGE
    if [ -n "${SOURCES:-}" ]; then
        cp "$SOURCES/$1"_* .
    else
        mkdir -p apt/lists/partial apt/cache/archives/partial apt/parts
        . /etc/os-release
        echo "deb-src http://deb.debian.org/debian $VERSION_CODENAME main" >apt/list
        cat >apt/conf <<-END
			Dir::Etc::sourcelist "$top/apt/list";
			Dir::Etc::sourceparts "$top/apt/parts";
			Dir::State::lists "$top/apt/lists";
			Dir::Cache "$top/apt/cache";
		END
        export APT_CONFIG=$top/apt/conf
        apt-get update -qq && apt-get source --download-only -qq "$1" ||
            skip "no source of $1 to be had"
        unset APT_CONFIG
    fi
    dpkg-source --no-check -x "$1"_*.dsc source >/dev/null
}

# A manifest per 3,900 functions of a library: all that a process has room for.
manifests() { # LIBRARY_FILE OBJECT
    nm -D --defined-only "$1" | awk '$2 ~ /^[TWi]$/ { sub(/@.*/, "", $3); print $3 }' |
        sort -u >names
    if [ "$(wc -l <names)" -le 3900 ]; then
        printf '[[object("%s")]];\n[[span, match("*")]];\n' "$2" >part.aa
    else
        split -l 3900 names names.
        for f in names.??; do
            { printf '[[object("%s")]];\n' "$2"
              sed 's/.*/[[span]] &;/' "$f"; } >"part.${f#names.}"
        done
    fi
}

run_traced() { # MANIFEST COMMAND...
    local manifest=$1
    shift
    env HANDSPAN_DIR="$top/sessions" HANDSPAN_SIDECAR=off HANDSPAN_MATCH_MAX=3968 \
        HANDSPAN_MANIFEST="$manifest" LD_PRELOAD="$preload" "$@"
}

# What COMMAND prints of its tests, traced with each part of the functions, is
# what it prints untraced; PROGRAM has the library, for `check`.
compare() { # PROGRAM COMMAND...
    local program=$1 part
    shift
    "$@" >untraced || { cat untraced; echo "WRONG untraced: $?"; exit 1; }
    for part in "$top"/part.??; do
        run_traced "$part" "$@" >traced || echo "WRONG traced: status $?"
        if ! diff untraced traced >differ; then
            head -50 differ
            echo "WRONG: the tests' results are not those of the untraced run"
            failed=1
        fi
        if [ "$(ls sessions | wc -l)" = 0 ]; then
            echo "WRONG: nothing was traced"
            failed=1
        fi
        rm -rf sessions
        HANDSPAN_MATCH_MAX=3968 "$handspan" check -m "$part" "$program" --json >>verdicts || true
    done
    echo "$(grep -c . untraced) results, the same"
    python3 - verdicts <<-'END'
	import collections, json, re, sys
	bound, functions, why = 0, 0, collections.Counter()
	for line in open(sys.argv[1]):
	    row = json.loads(line)
	    if row.get("kind") != "declaration":
	        continue
	    functions += row.get("functions", 1)
	    bound += row["bound"]
	    if row["bound"] < row.get("functions", 1) or row["status"] == "part":
	        why[re.split(r", from 0x|[;,] so ", row["remark"] or "")[0]] += 1
	print(f"{bound} of {functions} functions bound")
	for text, n in why.most_common():
	    print(f"{n:6} {text}")
	END
}

suite_gmp() {
    command -v m4 >/dev/null || skip "m4 is not installed"
    get_source gmp
    (cd source && mkdir -p doc && printf 'all check:\n' >doc/Makefile.in &&
        ./configure --enable-fat --disable-static && make -j2 &&
        make -C tests -j2 check TESTS=) >log 2>&1 || { tail -5 log; exit 1; }
    manifests source/.libs/libgmp.so.10 'libgmp.so*'
    # one after the other, without libtool's wrappers where it made some
    cat >tests <<-'END'
		export LD_LIBRARY_PATH=$PWD/source/.libs
		for t in source/tests/{.,mpn,mpz,mpq,mpf,rand,misc}/{,.libs/}*; do
		    [ -x "$t" ] && [ -f "$t" ] && [ "$(head -c4 "$t")" = $'\x7fELF' ] || continue
		    status=0
		    (cd "$(dirname "$t")" && "./${t##*/}" >/dev/null 2>&1) || status=$?
		    echo "$t $status"
		done
	END
    compare source/tests/mpz/t-mul bash tests
}

suite_zlib() {
    get_source zlib
    (cd source && ./configure && make -j2) >log 2>&1 || { tail -5 log; exit 1; }
    manifests source/libz.so.1 'libz.so*'
    compare source/examplesh make -C source testshared
}

suite_lua() {
    local tests=${LUA_TESTS:-}
    if [ -z "$tests" ]; then
        curl -sSf https://www.lua.org/tests/lua-5.4.4-tests.tar.gz | tar -xz 2>/dev/null ||
            skip "lua.org cannot be reached"
        tests=$top/lua-5.4.4-tests
    fi
    cp -r "$tests" tests
    get_source lua5.4
    (cd source/src && echo '#define DEB_HOST_MULTIARCH "x86_64-linux-gnu"' >lua5.4-deb-multiarch.h &&
        sources=$(ls ./*.c | grep -vE '/luac?\.c$') &&
        gcc -w -O2 -fPIC -shared -DLUA_USE_LINUX -o liblua.so -Wl,-soname,liblua.so $sources -lm &&
        gcc -w -O2 -DLUA_USE_LINUX -o luash lua.c -L. -llua -Wl,-E,-rpath,"$PWD" -lm) >log 2>&1 ||
        { tail -5 log; exit 1; }
    manifests source/src/liblua.so 'liblua.so'
    # _port: nothing of the machine; each test alone; times and sizes left out
    cat >run <<-'END'
		cd tests
		for t in strings tpack utf8 math sort nextvar pm bitwise calls closure \
		    constructs coroutine db events errors goto literals locals vararg gc gengc; do
		    status=0
		    ../source/src/luash -e '_port=true _soft=true _nomsg=true' "$t.lua" >/dev/null 2>&1 || status=$?
		    echo "$t $status"
		done
	END
    compare source/src/luash bash run
}

suite_sqlite() {
    [ -f /usr/include/tcl8.6/tcl.h ] || skip "tcl-dev is not installed"
    get_source sqlite3
    (cd source && ./configure --with-tcl=/usr/lib/tcl8.6 && make -j2 testfixture) >log 2>&1 ||
        { tail -5 log; exit 1; }
    # its functions are the program's own: those whose calls the tests make
    printf '[[object(main)]];\n[[span, match("sqlite3_*")]];\n[[span, match("sqlite3[A-Z]*")]];\n' >part.aa
    cat >run <<-'END'
		cd source
		for t in select1 select4 insert update delete join func expr where index \
		    trigger1 view savepoint pager1 wal fts3aa fts5/test/fts5aa json1 rtree1 \
		    alter autovacuum blob cast collate1 corrupt date malloc5 window1 with1; do
		    f=test/$t.test
		    [ -f "$f" ] || f=ext/$t.test
		    [ -f "$f" ] || continue
		    ./testfixture "$f" 2>&1 | grep -E '^[0-9]+ errors|^!|SIG|Segm' | sed "s/ in .*//; s|^|$t |"
		done
	END
    compare source/testfixture bash run
}

suite_blas() {
    export OPENBLAS_NUM_THREADS=1 # its threads spin
    command -v gfortran >/dev/null || skip "gfortran is not installed"
    get_source openblas
    mkdir programs
    for k in s d c z; do
        for level in 1 2 3; do
            gfortran -w -o "programs/${k}blat$level" "source/test/${k}blat$level.f" \
                -l:libopenblas.so.0 >>log 2>&1 || { tail -5 log; exit 1; }
        done
    done
    manifests /usr/lib/x86_64-linux-gnu/libopenblas.so.0 'libopenblas*'
    cat >run <<-'END'
		cd programs
		for k in s d c z; do
		    ./${k}blat1 || echo "status $?"
		    for level in 2 3; do
		        rm -f ./*.SUMM
		        ./${k}blat$level <../source/test/${k}blat$level.dat || echo "status $?"
		        cat ./*.SUMM
		    done
		done
	END
    compare programs/dblat3 bash run
}

# The tests that need nothing but what libcrypto exports, against Debian's.
suite_crypto() {
    get_source openssl
    (cd source && mkdir objects programs && cd objects &&
        gcc -w -O1 -I../include -I../apps/include -I../test -I.. -c ../test/testutil/*.c ../apps/lib/opt.c &&
        ar rc ../libtestutil.a ./*.o && cd .. &&
        for t in evp_test bntest sha_test rsa_test dsatest ectest; do
            gcc -w -O1 -Iinclude -Iapps/include -Itest -I. -o programs/$t test/$t.c libtestutil.a -lcrypto || exit 1
        done) >log 2>&1 || { tail -5 log; exit 1; }
    manifests "$(ldconfig -p | awk '$1 == "libcrypto.so.3" && !n++ { print $NF }')" 'libcrypto.so.3'
    cat >run <<-'END'
		cd source
		tell() { # NAME COMMAND...
		    local status=0 name=$1
		    shift
		    "$@" >out 2>&1 || status=$?
		    echo "$name $status $(grep -E '^ *(ok|not ok|# Completed)' out | cut -c1-80 | tr '\n' ';' | cksum)"
		}
		for f in test/recipes/30-test_evp_data/*.txt; do
		    tell "evp ${f##*/}" programs/evp_test "$f"
		done
		for f in test/recipes/10-test_bn_data/*.txt; do
		    tell "bn ${f##*/}" programs/bntest "$f"
		done
		for t in sha_test rsa_test dsatest ectest; do
		    tell $t programs/$t
		done
	END
    compare source/programs/evp_test bash run
}

failed=0
"suite_$name"
exit "$failed"
