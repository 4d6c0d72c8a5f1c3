/*
 * access.c
 *	  The value of a mentioned attribute or intrinsic at a span, an event or a link of the unit.
 */
#include "traceql/eval/internal.h"

const uint32_t *
unit_trace_of(TraceqlRun *run)
{
	Unit *unit = &run->unit;

	if (!unit->trace_of)
	{
		unit->trace_of = arena_alloc(run->scratch, (unit->nrows + 1) * sizeof(uint32_t));
		for (uint32_t t = 0; t < unit->ntraces; t++)
			for (uint32_t r = unit->first[t]; r < unit->first[t + 1]; r++)
				unit->trace_of[r] = t;
	}
	return unit->trace_of;
}

Str
cell_str(const Column *column, uint32_t i)
{
	if (column->nulls && column->nulls[i])
		return str_of(NULL, 0);
	return column_str(column, i);
}

/* ---- dictionaries ---- */

void
dict_cache_for(TraceqlRun *run, DictCache *cache, uint64_t source, const Str *dict, uint32_t ndict,
			   bool values)
{
	if (cache->cap < ndict)
	{
		cache->cap = ndict > 2 * cache->cap ? ndict : 2 * cache->cap;
		cache->state = arena_alloc(run->arena, cache->cap);
		if (values)
			cache->values = arena_alloc(run->arena, cache->cap * sizeof(EvalValue));
		cache->source = 0;
	}
	if (cache->source == source && cache->dict == dict && cache->ndict == ndict)
		return;
	if (ndict)
		memset(cache->state, 0, ndict);
	cache->source = source;
	cache->dict = dict;
	cache->ndict = ndict;
}

void
dict_cache_use(TraceqlRun *run, DictCache *cache, const Column *column, bool values)
{
	/* A dictionary of the unit's own may stand where the last unit had another one. */
	uint64_t source = column->dict_shared ? run->unit.source : UINT64_MAX - run->unit.number;

	dict_cache_for(run, cache, source, column->dict, column->ndict, values);
}

Column *
slot_entries(TraceqlRun *run, const Slot *slot)
{
	return batch_column(run->unit.batch, LEVEL_SPAN, slot->kind == SLOT_SCOPE ? SC_SCOPE : SC_RESOURCE);
}

EvalValue
slot_entry_parse(const Slot *slot, Str attributes)
{
	EvalValue out = {.type = EVAL_NIL};
	Value v;

	if (attributes.len && value_find(attributes, slot->key, &v))
		return eval_from_value(&v);
	/* Every resource has a service name. */
	if (slot->kind != SLOT_SCOPE && str_eq(slot->key, str_lit("service.name")))
	{
		out.type = EVAL_STRING;
		out.s = str_of("", 0);
	}
	return out;
}

EvalValue
slot_entry_value(TraceqlRun *run, const Slot *slot, const Column *column, uint32_t row)
{
	if (column->nulls && column->nulls[row])
		return slot_entry_parse(slot, str_of(NULL, 0));
	return slot_code_value(run, slot, column, column->codes[row]);
}

EvalValue
slot_code_value(TraceqlRun *run, const Slot *slot, const Column *column, uint32_t code)
{
	DictCache *cache = &run->entries[slot->index];

	dict_cache_use(run, cache, column, true);
	if (!cache->state[code])
	{
		cache->values[code] = slot_entry_parse(slot, column->dict[code]);
		cache->state[code] = 1;
	}
	return cache->values[code];
}

/* ---- attributes of a level ---- */

Level
slot_level(const Slot *slot)
{
	if (slot->kind == SLOT_EVENT)
		return LEVEL_EVENT;
	return slot->kind == SLOT_LINK ? LEVEL_LINK : LEVEL_SPAN;
}

static void
keymap_columns(TraceqlRun *run, KeyMap *map, const AttrSet *set, Str key)
{
	map->ncolumns = 0;
	for (uint32_t c = 0; c < set->ncolumns; c++)
	{
		if (!str_eq(set->columns[c].key, key))
			continue;
		if (map->ncolumns == map->cap_columns)
		{
			uint32_t cap = map->cap_columns ? map->cap_columns * 2 : 4;

			map->columns = arena_grow(run->arena, map->columns, map->cap_columns * sizeof(uint32_t),
									  cap * sizeof(uint32_t));
			map->cap_columns = cap;
		}
		map->columns[map->ncolumns++] = c;
	}
}

/* For one column: which shapes name it. */
static void
keymap_one(KeyMap *map, const AttrSet *set)
{
	uint32_t column = map->columns[0];

	for (uint32_t s = 0; s < set->nshapes; s++)
	{
		const uint32_t *columns = set->shapes[s].columns;
		uint8_t found = 0;

		for (uint32_t i = 0; i < set->shapes[s].n; i++)
			found |= columns[i] == column;
		map->named[s] = found;
		map->first[s] = found - 1;
	}
}

/* Which shapes name which of the key's columns, and which of them first. */
static void
keymap_several(KeyMap *map, const AttrSet *set)
{
	memset(map->named, 0, (size_t) set->nshapes * map->ncolumns);
	for (uint32_t s = 0; s < set->nshapes; s++)
	{
		map->first[s] = -1;
		for (uint32_t i = 0; i < set->shapes[s].n; i++)
			for (uint32_t k = 0; k < map->ncolumns; k++)
				if (set->shapes[s].columns[i] == map->columns[k])
				{
					map->named[(size_t) s * map->ncolumns + k] = 1;
					if (map->first[s] < 0)
						map->first[s] = (int32_t) k;
				}
	}
}

static void
keymap_shapes(TraceqlRun *run, KeyMap *map, const AttrSet *set)
{
	uint64_t n = (uint64_t) set->nshapes * map->ncolumns;

	if (map->cap_shapes < set->nshapes)
	{
		map->cap_shapes = set->nshapes > 2 * map->cap_shapes ? set->nshapes : 2 * map->cap_shapes;
		map->first = arena_alloc(run->arena, map->cap_shapes * sizeof(int32_t));
	}
	if (map->cap_named < n)
	{
		map->cap_named = (uint32_t) (n > 2 * (uint64_t) map->cap_named ? n : 2 * (uint64_t) map->cap_named);
		map->named = arena_alloc(run->arena, map->cap_named);
	}
	if (map->ncolumns == 1)
		keymap_one(map, set);
	else if (map->ncolumns > 1)
		keymap_several(map, set);
}

SlotState *
slot_keys(TraceqlRun *run, const Slot *slot)
{
	SlotState *state = &run->unit.slots[slot->index];
	KeyMap *map = &run->keys[slot->index];
	Batch *batch = run->unit.batch;
	const AttrSet *set;

	if (state->map)
		return state;
	/* Lazy batches know nothing of events and links before. */
	if (slot->event)
		(void) batch_event_first(batch);
	if (slot->link)
		(void) batch_link_first(batch);
	set = batch->level[slot_level(slot)].attrs;
	/* A unit with shapes of its own may be a part of an image's vector: then its columns are its own, too. */
	if (map->source != run->unit.source || run->unit.source == 0 || !set->shapes_shared)
	{
		keymap_columns(run, map, set, slot->key);
		map->shapes = NULL;
		map->source = set->shapes_shared ? run->unit.source : 0;
	}
	/* with the shapes of the rows, because rows may bring shapes of their own */
	if (map->ncolumns)
		batch_shapes(batch, slot_level(slot));
	if (map->ncolumns && (map->shapes != set->shapes || map->nshapes != set->nshapes || !set->shapes_shared))
	{
		keymap_shapes(run, map, set);
		map->shapes = set->shapes;
		map->nshapes = set->nshapes;
	}
	state->map = map;
	if (map->ncolumns)
		state->cursor = arena_alloc0(run->scratch, map->ncolumns * sizeof(uint32_t));
	return state;
}

const uint32_t *
slot_shapes(TraceqlRun *run, const Slot *slot)
{
	SlotState *state = slot_keys(run, slot);

	if (!state->shape && state->map->ncolumns)
		state->shape = batch_shapes(run->unit.batch, slot_level(slot));
	return state->shape;
}

/* Position of row, known to be there, looking first where the last look ended: rows mostly ascend. */
static uint32_t
position_near(const AttrColumn *column, uint32_t *cursor, uint32_t row)
{
	uint32_t at = *cursor;

	for (int i = 0; i < 8 && at < column->values.n && column->rows[at] < row; i++)
		at++;
	if (at >= column->values.n || column->rows[at] != row)
	{
		int64_t found = attr_position(column, row);

		at = found < 0 ? UINT32_MAX : (uint32_t) found;
	}
	if (at != UINT32_MAX)
		*cursor = at;
	return at;
}

EvalValue
slot_level_value(TraceqlRun *run, const Slot *slot, uint32_t row)
{
	SlotState *state = slot_keys(run, slot);
	EvalValue nil = {.type = EVAL_NIL};
	AttrColumn *column;
	uint32_t at;
	int32_t k;
	Value v;

	if (!slot_shapes(run, slot))
		return nil;
	k = state->map->first[state->shape[row]];
	if (k < 0)
		return nil;
	column = batch_attr_rows(run->unit.batch, slot_level(slot), state->map->columns[k]);
	at = position_near(column, &state->cursor[k], row);
	if (at == UINT32_MAX)
		return nil;
	v = attr_value(column, at);
	return eval_from_value(&v);
}

/* ---- intrinsics ---- */

/* Lower-case hex; without leading zeros when strip. */
static EvalValue
hex_value(TraceqlRun *run, const uint8_t *p, uint32_t n, bool strip)
{
	static const char digits[] = "0123456789abcdef";
	char *text = arena_alloc(run->scratch, 2 * (size_t) n + 1);
	EvalValue out = {.type = EVAL_STRING};
	uint32_t skip = 0;

	for (uint32_t i = 0; i < n; i++)
	{
		text[2 * i] = digits[p[i] >> 4];
		text[2 * i + 1] = digits[p[i] & 15];
	}
	while (strip && skip < 2 * n && text[skip] == '0')
		skip++;
	out.s = str_of(text + skip, 2 * n - skip);
	return out;
}

static EvalValue
span_id_value(TraceqlRun *run, int64_t id)
{
	uint8_t bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t) ((uint64_t) id >> (56 - 8 * i));
	return hex_value(run, bytes, 8, false);
}

bool
slot_of_trace(const Slot *slot)
{
	return slot->kind == SLOT_INTRINSIC &&
		   (slot->intrinsic == TQL_TRACE_DURATION || slot->intrinsic == TQL_ROOT_NAME ||
			slot->intrinsic == TQL_ROOT_SERVICE_NAME || slot->intrinsic == TQL_TRACE_ID);
}

EvalValue
slot_trace_value(TraceqlRun *run, const Slot *slot, uint32_t trace)
{
	Batch *batch = run->unit.batch;
	EvalValue out = {.type = EVAL_STRING};

	switch (slot->intrinsic)
	{
		case TQL_TRACE_DURATION:
			out.type = EVAL_DURATION;
			out.i = batch_column(batch, LEVEL_TRACE, TC_DURATION)->i64[trace];
			return out;
		case TQL_ROOT_NAME: out.s = unit_root_name(run, trace); return out;
		case TQL_ROOT_SERVICE_NAME: out.s = unit_root_service(run, trace); return out;
		default:
			return hex_value(run, batch_column(batch, LEVEL_TRACE, TC_ID)->fixed + 16 * (size_t) trace, 16,
							 true);
	}
}

static EvalValue
i64_value(TraceqlRun *run, EvalType type, Level level, uint32_t col, uint32_t row)
{
	EvalValue out = {.type = type};

	out.i = batch_column(run->unit.batch, level, col)->i64[row];
	return out;
}

static EvalValue
str_value(TraceqlRun *run, Level level, uint32_t col, uint32_t row)
{
	EvalValue out = {.type = EVAL_STRING};

	out.s = cell_str(batch_column(run->unit.batch, level, col), row);
	return out;
}

/* Numbers outside the enumeration read as its zero. */
static EvalValue
enum_value(TraceqlRun *run, EvalType type, SpanCol col, uint32_t row)
{
	EvalValue out = i64_value(run, type, LEVEL_SPAN, col, row);
	int64_t last = type == EVAL_STATUS ? 2 : 5;

	if (out.i < 0 || out.i > last)
		out.i = 0;
	return out;
}

static EvalValue
tree_value(TraceqlRun *run, TraceqlIntrinsic intrinsic, uint32_t row)
{
	const Tree *tree = tree_of(run, unit_trace_of(run)[row]);
	EvalValue out = {.type = EVAL_INT};

	switch (intrinsic)
	{
		case TQL_NESTED_SET_LEFT: out.i = tree->left[row]; break;
		case TQL_NESTED_SET_RIGHT: out.i = tree->right[row]; break;
		case TQL_NESTED_SET_PARENT: out.i = tree->parent[row]; break;
		default: out.i = tree->children[row]; break;
	}
	return out;
}

static EvalValue
span_intrinsic(TraceqlRun *run, const Slot *slot, uint32_t row)
{
	Batch *batch = run->unit.batch;

	switch (slot->intrinsic)
	{
		case TQL_DURATION: return i64_value(run, EVAL_DURATION, LEVEL_SPAN, SC_DURATION, row);
		case TQL_NAME: return str_value(run, LEVEL_SPAN, SC_NAME, row);
		case TQL_STATUS: return enum_value(run, EVAL_STATUS, SC_STATUS, row);
		case TQL_STATUS_MESSAGE: return str_value(run, LEVEL_SPAN, SC_STATUS_MESSAGE, row);
		case TQL_KIND: return enum_value(run, EVAL_KIND, SC_KIND, row);
		case TQL_SPAN_ID: return span_id_value(run, batch_column(batch, LEVEL_SPAN, SC_SPAN_ID)->i64[row]);
		case TQL_PARENT_ID:
			return span_id_value(run, batch_column(batch, LEVEL_SPAN, SC_PARENT_ID)->i64[row]);
		case TQL_INSTRUMENTATION_NAME: return str_value(run, LEVEL_SPAN, SC_SCOPE_NAME, row);
		case TQL_INSTRUMENTATION_VERSION: return str_value(run, LEVEL_SPAN, SC_SCOPE_VERSION, row);
		case TQL_NESTED_SET_LEFT:
		case TQL_NESTED_SET_RIGHT:
		case TQL_NESTED_SET_PARENT:
		case TQL_CHILD_COUNT: return tree_value(run, slot->intrinsic, row);
		default: return slot_trace_value(run, slot, unit_trace_of(run)[row]);
	}
}

/* ---- events and links ---- */

static EvalValue
child_value(TraceqlRun *run, const Slot *slot, uint32_t row)
{
	Str id;

	if (slot->kind != SLOT_INTRINSIC)
		return slot_level_value(run, slot, row);
	switch (slot->intrinsic)
	{
		case TQL_EVENT_NAME: return str_value(run, LEVEL_EVENT, EC_NAME, row);
		case TQL_EVENT_TIME_SINCE_START: return i64_value(run, EVAL_DURATION, LEVEL_EVENT, EC_TIME, row);
		case TQL_LINK_TRACE_ID:
			id = cell_str(batch_column(run->unit.batch, LEVEL_LINK, LC_TRACE_ID), row);
			return hex_value(run, (const uint8_t *) id.p, id.len, true);
		default:
			id = cell_str(batch_column(run->unit.batch, LEVEL_LINK, LC_SPAN_ID), row);
			return hex_value(run, (const uint8_t *) id.p, id.len, false);
	}
}

/* Where one value a span is needed: the first event or link that has the attribute. */
static EvalValue
first_child_value(TraceqlRun *run, const Slot *slot, uint32_t span)
{
	const uint32_t *first =
		slot->event ? batch_event_first(run->unit.batch) : batch_link_first(run->unit.batch);
	EvalValue v = {.type = EVAL_NIL};

	if (first[span] == first[span + 1] && slot->kind == SLOT_INTRINSIC && slot->intrinsic == TQL_EVENT_NAME)
	{
		v.type = EVAL_STRING;
		v.s = str_of("", 0);
	}
	for (uint32_t r = first[span]; r < first[span + 1]; r++)
	{
		v = child_value(run, slot, r);
		if (v.type != EVAL_NIL)
			break;
	}
	return v;
}

EvalValue
slot_value(TraceqlRun *run, const Slot *slot, Binding at)
{
	EvalValue v = {.type = EVAL_NIL};

	if (slot->event || slot->link)
	{
		uint32_t row = slot->event ? at.event : at.link;

		if (row == ROW_FIRST)
			return first_child_value(run, slot, at.row);
		if (row != ROW_NONE)
			return child_value(run, slot, row);
		/* No event to speak about: neither a value nor the absence of one. */
		v.type = EVAL_OPAQUE;
		return v;
	}
	switch (slot->kind)
	{
		case SLOT_SPAN: return slot_level_value(run, slot, at.row);
		case SLOT_RESOURCE:
		case SLOT_SCOPE: return slot_entry_value(run, slot, slot_entries(run, slot), at.row);
		case SLOT_ANY:
			v = slot_level_value(run, slot, at.row);
			return v.type != EVAL_NIL ? v : slot_entry_value(run, slot, slot_entries(run, slot), at.row);
		case SLOT_INTRINSIC: return span_intrinsic(run, slot, at.row);
		default: return v;
	}
}
