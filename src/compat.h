/*
 * compat.h
 *	  The only place where the PostgreSQL major version is asked. Each shim says what changed.
 *	  Supported: 15, 16, 17.
 */
#ifndef TEMPO_COMPAT_H
#define TEMPO_COMPAT_H

#include "postgres.h"

#include "nodes/plannodes.h"
#include "parser/parsetree.h"

#if PG_VERSION_NUM < 150000
#error "tempo needs PostgreSQL 15 or newer"
#endif

/* 16 moved permissions from the range table to a list of their own. */
static inline AclMode
compat_required_perms(const PlannedStmt *stmt, const RangeTblEntry *rte)
{
#if PG_VERSION_NUM >= 160000
	return rte->perminfoindex
			   ? list_nth_node(RTEPermissionInfo, stmt->permInfos, rte->perminfoindex - 1)->requiredPerms
			   : 0;
#else
	return rte->requiredPerms;
#endif
}

#endif
