/*
 * text.h
 *	  Byte strings off the wire: UTF-8, hexadecimal, base64.
 */
#ifndef TEMPO_INGEST_TEXT_H
#define TEMPO_INGEST_TEXT_H

#include "span/arena.h"

typedef enum TextClass
{
	TEXT_PLAIN,  /* valid UTF-8 without NUL */
	TEXT_NUL,    /* valid UTF-8 with a NUL byte */
	TEXT_INVALID /* not UTF-8 */
} TextClass;

extern TextClass text_classify(Str s);
/* A copy with every NUL replaced by U+FFFD. */
extern Str text_replace_nul(Str s, Arena *arena);
/* The longest prefix of at most max bytes that does not end inside a character; s is valid UTF-8. */
extern Str text_cut(Str s, uint32_t max);

/* Both write at most s.len bytes to out and give the number written; false: not of that form. */
extern bool text_hex_decode(Str s, uint8_t *out, uint32_t *n);
/* Standard or URL-safe alphabet, padded or not. */
extern bool text_base64_decode(Str s, uint8_t *out, uint32_t *n);

#endif
