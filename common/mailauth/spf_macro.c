/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/spf_macro.h"

#include <inttypes.h>
#include <string.h>

#define PARTS_MAX 600 /* a sender of 256 bytes before the @ and a domain has at most 511 */

/* One %{...}, taken apart. */
struct macro {
    char letter;     /* lower case */
    bool is_escaped; /* it was upper case: for a URL */
    unsigned keep;   /* parts from the right; 0: all */
    bool is_reversed;
    char delimiters[8];
};

/* --- what a letter stands for ------------------------------------------------------------ */

static void put_dotted(const struct addr *addr, struct buf *out)
{
    const uint8_t *b = addr->bytes;

    if (addr->family == ADDR_IPV4) {
        buf_printf(out, "%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
        return;
    }
    for (size_t i = 0; i < 16; i++)
        buf_printf(out, "%s%x.%x", i ? "." : "", b[i] >> 4, b[i] & 15u);
}

static void put_part_of_sender(const char *sender, bool is_domain, struct buf *out)
{
    const char *at = strrchr(sender, '@');

    if (!at)
        buf_puts(out, is_domain ? sender : "postmaster");
    else if (is_domain)
        buf_puts(out, at + 1);
    else
        buf_put(out, sender, (size_t)(at - sender));
}

static int put_value(char letter, const struct spf_macro_values *values, struct buf *out)
{
    char text[ADDR_TEXT_MAX];
    const char *name;

    switch (letter) {
    case 's':
        buf_puts(out, values->sender);
        break;
    case 'l':
    case 'o':
        put_part_of_sender(values->sender, letter == 'o', out);
        break;
    case 'd':
        buf_puts(out, values->domain);
        break;
    case 'i':
        put_dotted(values->client, out);
        break;
    case 'p':
        name = values->validated_name(values->ctx);
        if (!name)
            return -1;
        buf_puts(out, name);
        break;
    case 'v':
        buf_puts(out, values->client->family == ADDR_IPV4 ? "in-addr" : "ip6");
        break;
    case 'h':
        buf_puts(out, values->helo);
        break;
    case 'c':
        buf_puts(out, addr_format(values->client, text));
        break;
    case 'r':
        buf_puts(out, values->receiver);
        break;
    default: /* t */
        buf_printf(out, "%" PRId64, values->now_sec);
    }
    return 0;
}

/* --- transformers ------------------------------------------------------------------------- */

struct part {
    const char *text;
    size_t len;
};

/* What is beyond PARTS_MAX stays in the last one: no value that there is has so many. */
static size_t split(const char *value, const char *delimiters, struct part parts[PARTS_MAX])
{
    size_t count = 0;

    for (;;) {
        size_t len = count + 1 < PARTS_MAX ? strcspn(value, delimiters) : strlen(value);
        parts[count++] = (struct part){value, len};
        if (!value[len])
            return count;
        value += len + 1;
    }
}

/* Reversed first, then cut from the left. */
static void put_parts(const char *value, const struct macro *macro, struct buf *out)
{
    struct part parts[PARTS_MAX];
    size_t count = split(value, macro->delimiters, parts);
    size_t first = macro->keep && macro->keep < count ? count - macro->keep : 0;

    for (size_t i = first; i < count; i++) {
        const struct part *part = &parts[macro->is_reversed ? count - 1 - i : i];
        if (i > first)
            buf_putc(out, '.');
        buf_put(out, part->text, part->len);
    }
}

/* RFC 3986 2.3: what is not unreserved is escaped. */
static void put_escaped(const char *text, struct buf *out)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
            (c && strchr("-._~", c)))
            buf_putc(out, (char)c);
        else
            buf_printf(out, "%%%02X", c);
    }
}

/* --- the string ---------------------------------------------------------------------------- */

/* p stands behind "%{"; returns what is behind the brace. */
static const char *take_macro(const char *p, struct macro *macro_r)
{
    *macro_r = (struct macro){.letter = (char)(*p | 0x20), .is_escaped = !(*p & 0x20)};
    for (p++; *p >= '0' && *p <= '9'; p++)
        macro_r->keep = macro_r->keep * 10 + (unsigned)(*p - '0');
    macro_r->is_reversed = *p == 'r' || *p == 'R';
    p += macro_r->is_reversed;
    size_t len = strcspn(p, "}"), kept = 0;
    /* Each of the seven once is all there are. */
    for (size_t i = 0; i < len; i++)
        if (!strchr(macro_r->delimiters, p[i]) && kept < sizeof(macro_r->delimiters) - 1)
            macro_r->delimiters[kept++] = p[i];
    if (!kept)
        macro_r->delimiters[0] = '.';
    return p + len + 1;
}

static int put_macro(const struct macro *macro, const struct spf_macro_values *values,
                     struct buf *out)
{
    struct buf value = {0}, parts = {0};
    int rc = put_value(macro->letter, values, &value);

    if (rc == 0)
        put_parts(buf_str(&value), macro, &parts);
    if (macro->is_escaped)
        put_escaped(buf_str(&parts), out);
    else
        buf_puts(out, buf_str(&parts));
    buf_fini(&value);
    buf_fini(&parts);
    return rc;
}

bool spf_macro_has_local_part(const char *text)
{
    for (text = strchr(text, '%'); text; text = strchr(text + 2, '%')) {
        if (text[1] == '{' && strchr("sSlL", text[2]))
            return true;
    }
    return false;
}

int spf_macro_expand(const char *text, const struct spf_macro_values *values, struct buf *out)
{
    struct macro macro;

    while (*text) {
        if (*text != '%') {
            buf_putc(out, *text++);
            continue;
        }
        if (text[1] != '{') {
            buf_puts(out, text[1] == '%' ? "%" : text[1] == '_' ? " " : "%20");
            text += 2;
            continue;
        }
        text = take_macro(text + 2, &macro);
        if (put_macro(&macro, values, out) < 0)
            return -1;
    }
    return 0;
}
