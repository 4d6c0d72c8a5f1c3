/*
 * scan_node.h
 *	  The custom scan of tables of access method tempo: reads only the columns asked for, skips segments and
 *	  vectors that cannot match, evaluates the quals with their own columns first and decodes the others
 *	  for rows that pass. Parallel workers take vectors from a shared counter.
 */
#ifndef TEMPO_SCAN_NODE_H
#define TEMPO_SCAN_NODE_H

#include "postgres.h"
#include "nodes/extensible.h"

extern CustomScanMethods scan_node_methods;

#endif
