/* html_page.h: the page of emit_html.c, made of tools/html/ when this is built (html/embed.cmake): what comes
 * before the report's data, and what comes behind it. */
#ifndef TOOLS_HTML_PAGE_H
#define TOOLS_HTML_PAGE_H

#include <stddef.h>

extern const unsigned char html_page_before[], html_page_after[];
extern const size_t html_page_before_bytes, html_page_after_bytes;

#endif
