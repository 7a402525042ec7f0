/* SPDX-License-Identifier: Apache-2.0 */
/* The page's files, built in (assets.S); each ends with a NUL that is not
 * counted. */
#pragma once
extern const char assets_html[], assets_html_end[];
extern const char assets_css[], assets_css_end[];
extern const char assets_js[], assets_js_end[];
extern const char assets_icon[], assets_icon_end[];
