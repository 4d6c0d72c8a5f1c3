/*
 * image_columns.c
 *	  What the columns of each level are and in which order an image has them.
 */
#include "store/image_impl.h"

/* Resource and name come first: other leaves are stored as what goes with them. Parents before starts. */
static const uint8_t span_order[SC_COUNT] = {SC_RESOURCE,
											 SC_NAME,
											 SC_SERVICE,
											 SC_KIND,
											 SC_STATUS,
											 SC_TENANT,
											 SC_TRACE_ID,
											 SC_SPAN_ID,
											 SC_PARENT_ID,
											 SC_START,
											 SC_DURATION,
											 SC_STATUS_MESSAGE,
											 SC_RESOURCE_DROPPED,
											 SC_RESOURCE_SCHEMA_URL,
											 SC_SCOPE,
											 SC_SCOPE_NAME,
											 SC_SCOPE_VERSION,
											 SC_SCOPE_DROPPED,
											 SC_SCOPE_SCHEMA_URL,
											 SC_TRACE_STATE,
											 SC_FLAGS,
											 SC_DROPPED_ATTRIBUTES,
											 SC_DROPPED_EVENTS,
											 SC_DROPPED_LINKS};

static const uint8_t event_order[EC_COUNT] = {EC_NAME, EC_TIME, EC_DROPPED};

uint32_t
image_column_at(bool spans, Level level, uint32_t i)
{
	if (spans && level == LEVEL_SPAN && i < SC_COUNT)
		return span_order[i];
	if (level == LEVEL_EVENT)
		return event_order[i];
	return i;
}

uint32_t
image_root_columns(Level level)
{
	return level == LEVEL_SPAN ? 2 : level == LEVEL_EVENT ? 1 : 0;
}

ColKind
image_column_kind(Level level, uint32_t col)
{
	static const uint32_t span_bytes = 1u << SC_TENANT | 1u << SC_NAME | 1u << SC_STATUS_MESSAGE |
									   1u << SC_SERVICE | 1u << SC_RESOURCE | 1u << SC_RESOURCE_SCHEMA_URL |
									   1u << SC_SCOPE | 1u << SC_SCOPE_NAME | 1u << SC_SCOPE_VERSION |
									   1u << SC_SCOPE_SCHEMA_URL | 1u << SC_TRACE_STATE;

	switch (level)
	{
		case LEVEL_SPAN: return col == SC_TRACE_ID ? COL_FIXED : span_bytes >> col & 1 ? COL_BYTES : COL_I64;
		case LEVEL_EVENT: return col == EC_NAME ? COL_BYTES : COL_I64;
		case LEVEL_LINK: return col <= LC_TRACE_STATE ? COL_BYTES : COL_I64;
		case LEVEL_TRACE: return col == TC_ID ? COL_FIXED : COL_I64;
	}
	return COL_VOID;
}

uint32_t
image_level_columns(Level level)
{
	static const uint32_t n[NLEVELS] = {SC_COUNT, EC_COUNT, LC_COUNT, TC_COUNT};

	return n[level];
}

ColKind
image_attr_kind(uint8_t type)
{
	switch (type)
	{
		case VALUE_EMPTY: return COL_VOID;
		case VALUE_BOOL:
		case VALUE_INT:
		case VALUE_DOUBLE: return COL_I64;
		default: return COL_BYTES;
	}
}
