/* SPDX-License-Identifier: Apache-2.0 */
/* The page's files as the build made them; see assets.h. */
    .section .rodata
    .macro file name, path
    .globl \name, \name\()_end
\name:
    .incbin "\path"
\name\()_end:
    .byte 0
    .endm
    file assets_html, "page.html"
    file assets_css, "page.css"
    file assets_js, "page.js"
    file assets_icon, "icon.svg"
    .section .note.GNU-stack, "", @progbits
