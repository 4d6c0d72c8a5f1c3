/*
 * aggregate_node.h
 *	  The custom scan that computes GROUP BY and aggregates over the columns of one table, or of all tables
 *	  that partitions of one are, without forming rows.
 *
 * custom_scan_tlist has the group keys and aggregates that make the node's rows, then as junk the conditions
 * on the table. custom_private has the tables (OIDs), the number of keys and that of aggregates.
 * custom_exprs has parameters that occur in any of them, so that core knows of them.
 */
#ifndef TEMPO_AGGREGATE_NODE_H
#define TEMPO_AGGREGATE_NODE_H

#include "postgres.h"
#include "nodes/extensible.h"

extern CustomScanMethods aggregate_node_methods;

#endif
