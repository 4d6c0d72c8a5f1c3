/*
 * compat.h
 *	  The only place where the PostgreSQL major version is asked. Each shim says what changed.
 *	  Supported: 15, 16, 17.
 */
#ifndef TEMPO_COMPAT_H
#define TEMPO_COMPAT_H

#include "postgres.h"

#if PG_VERSION_NUM < 150000
#error "tempo needs PostgreSQL 15 or newer"
#endif

#endif
