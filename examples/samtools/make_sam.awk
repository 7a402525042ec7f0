# SPDX-License-Identifier: Apache-2.0
# A SAM file of `reads` reads of 100 bases at random places, the same ones
# each time: awk -v reads=1000 -f make_sam.awk
function draw(n) { # Park and Miller; exact in a double
    seed = (seed * 16807) % 2147483647
    return seed % n
}
BEGIN {
    OFS = "\t"
    seed = 7
    for (i = 33; i < 74; i++) quality[i - 33] = sprintf("%c", i)
    split("A C G T", base, " ")
    print "@HD", "VN:1.6", "SO:unsorted"
    for (i = 1; i <= 4; i++) print "@SQ", "SN:chr" i, "LN:1000000"
    for (r = 0; r < reads; r++) {
        bases = qualities = ""
        for (i = 0; i < 100; i++) {
            bases = bases base[draw(4) + 1]
            qualities = qualities quality[draw(41)]
        }
        print sprintf("read%06d", r), 0, "chr" (draw(4) + 1), \
            draw(999900) + 1, draw(61), "100M", "*", 0, 0, bases, qualities
    }
}
