/*
 * values.c
 *	  Values of one tag: of attribute columns, of keys within the distinct resources and instrumentation
 *	  scopes, and of columns that intrinsics stand for.
 *
 * An unscoped tag has the values of the span's attribute and those of the resource's.
 */
#include "traceql/tags/collect.h"
#include "traceql/tags/marks.h"

typedef enum PartKind
{
	PART_ATTR,    /* attribute columns of key at level */
	PART_ENTRIES, /* key within the attribute sets of a column */
	PART_STRINGS, /* a column of strings; empty ones are none */
	PART_HEX,     /* a column of ids as bytes; empty ones are none */
	PART_NUMBER,  /* a column of ids as numbers */
	PART_TRACE,   /* the trace's id */
	PART_ENUM     /* status or kind */
} PartKind;

/* One place that values come from. */
typedef struct Part
{
	PartKind kind;
	Level level;
	uint32_t col;
	bool strip; /* HEX: leading zeros go */
	Marks marks;
	uint64_t exhausted; /* source that has nothing new any more */
	/* ATTR: */
	uint64_t source; /* that these are of: */
	uint32_t ncolumns;
	uint32_t cap_columns;
	uint32_t *columns;
	Marks *column_marks;
} Part;

struct TagValues
{
	Arena *arena;
	TraceqlAttr attr;
	TagSet *set;
	bool probing; /* nothing is added, only: */
	bool missing; /* something would have been */
	uint32_t nparts;
	Part parts[2];
};

static void
add_part(TagValues *values, PartKind kind, Level level, uint32_t col)
{
	values->parts[values->nparts++] = (Part){.kind = kind, .level = level, .col = col};
}

static void
add_attr_parts(TagValues *values, TraceqlScope scope)
{
	switch (scope)
	{
		case TQL_SCOPE_NONE:
			add_part(values, PART_ATTR, LEVEL_SPAN, 0);
			add_part(values, PART_ENTRIES, LEVEL_SPAN, SC_RESOURCE);
			break;
		case TQL_SCOPE_SPAN: add_part(values, PART_ATTR, LEVEL_SPAN, 0); break;
		case TQL_SCOPE_RESOURCE: add_part(values, PART_ENTRIES, LEVEL_SPAN, SC_RESOURCE); break;
		case TQL_SCOPE_EVENT: add_part(values, PART_ATTR, LEVEL_EVENT, 0); break;
		case TQL_SCOPE_LINK: add_part(values, PART_ATTR, LEVEL_LINK, 0); break;
		case TQL_SCOPE_INSTRUMENTATION: add_part(values, PART_ENTRIES, LEVEL_SPAN, SC_SCOPE); break;
		default: break;
	}
}

static void
add_intrinsic_part(TagValues *values, TraceqlIntrinsic intrinsic)
{
	switch (intrinsic)
	{
		case TQL_NAME: add_part(values, PART_STRINGS, LEVEL_SPAN, SC_NAME); break;
		case TQL_STATUS_MESSAGE: add_part(values, PART_STRINGS, LEVEL_SPAN, SC_STATUS_MESSAGE); break;
		case TQL_INSTRUMENTATION_NAME: add_part(values, PART_STRINGS, LEVEL_SPAN, SC_SCOPE_NAME); break;
		case TQL_INSTRUMENTATION_VERSION: add_part(values, PART_STRINGS, LEVEL_SPAN, SC_SCOPE_VERSION); break;
		case TQL_EVENT_NAME: add_part(values, PART_STRINGS, LEVEL_EVENT, EC_NAME); break;
		case TQL_LINK_TRACE_ID:
			add_part(values, PART_HEX, LEVEL_LINK, LC_TRACE_ID);
			values->parts[0].strip = true;
			break;
		case TQL_LINK_SPAN_ID: add_part(values, PART_HEX, LEVEL_LINK, LC_SPAN_ID); break;
		case TQL_SPAN_ID: add_part(values, PART_NUMBER, LEVEL_SPAN, SC_SPAN_ID); break;
		case TQL_PARENT_ID: add_part(values, PART_NUMBER, LEVEL_SPAN, SC_PARENT_ID); break;
		case TQL_TRACE_ID: add_part(values, PART_TRACE, LEVEL_SPAN, SC_TRACE_ID); break;
		case TQL_STATUS: add_part(values, PART_ENUM, LEVEL_SPAN, SC_STATUS); break;
		case TQL_KIND: add_part(values, PART_ENUM, LEVEL_SPAN, SC_KIND); break;
		default: break;
	}
}

TagValues *
tag_values_create(Arena *arena, const TraceqlAttr *attr, uint32_t max_values, uint64_t max_bytes)
{
	TagValues *values = arena_alloc0(arena, sizeof(TagValues));

	values->arena = arena;
	values->attr = *attr;
	values->set = tag_set_create(arena, max_values, max_bytes);
	if (attr->intrinsic == TQL_NOT_INTRINSIC)
		add_attr_parts(values, attr->scope);
	else
		add_intrinsic_part(values, attr->intrinsic);
	return values;
}

TagSet *
tag_values_set(const TagValues *values)
{
	return values->set;
}

bool
tag_values_of_traces(const TagValues *values)
{
	return values->attr.intrinsic == TQL_ROOT_NAME || values->attr.intrinsic == TQL_ROOT_SERVICE_NAME;
}

/* ---- adding ---- */

static void
put(TagValues *values, TagValue v)
{
	if (values->probing)
		values->missing |= !tag_set_has(values->set, &v);
	else
		tag_set_add(values->set, &v);
}

static void
put_string(TagValues *values, Str s)
{
	put(values, (TagValue){.type = TAG_STRING, .s = s});
}

static void
add_keyword(TagValues *values, const char *word)
{
	if (word)
		put(values, (TagValue){.type = TAG_KEYWORD, .s = str_lit(word)});
}

/* What the enumeration does not know reads as its zero, as it does in queries. */
static void
add_enum(TagValues *values, SpanCol col, int64_t v)
{
	if (col == SC_STATUS)
		add_keyword(values, traceql_status_name(v >= 0 && v <= 2 ? v : 0));
	else
		add_keyword(values, traceql_kind_name(v >= 0 && v <= 5 ? v : 0));
}

static void
add_elements(TagValues *values, Str array)
{
	ValueIter it;
	Value v;

	if (!value_iter_begin(&it, array))
		return;
	while (value_iter_next(&it, &v))
	{
		EvalValue element = eval_from_value(&v);

		if (element.type != EVAL_ARRAY)
			tag_values_add(values, &element);
	}
}

void
tag_values_add(TagValues *values, const EvalValue *v)
{
	switch (v->type)
	{
		case EVAL_STRING: put_string(values, v->s); break;
		case EVAL_INT: put(values, (TagValue){.type = TAG_INT, .i = v->i}); break;
		case EVAL_FLOAT: put(values, (TagValue){.type = TAG_FLOAT, .d = v->d}); break;
		case EVAL_BOOL: put(values, (TagValue){.type = TAG_BOOL, .b = v->b}); break;
		case EVAL_DURATION: put(values, (TagValue){.type = TAG_DURATION, .i = v->i}); break;
		case EVAL_STATUS: add_enum(values, SC_STATUS, v->i); break;
		case EVAL_KIND: add_enum(values, SC_KIND, v->i); break;
		case EVAL_ARRAY: add_elements(values, v->s); break;
		default: break;
	}
}

bool
tag_values_fixed(TagValues *values, bool filtered)
{
	PartKind kind = values->nparts ? values->parts[0].kind : PART_ATTR;

	if (values->nparts == 0)
		return !tag_values_of_traces(values);
	if (kind != PART_ENUM || filtered)
		return false;
	for (int64_t i = 0; i <= (values->parts[0].col == SC_STATUS ? 2 : 5); i++)
		add_enum(values, values->parts[0].col, i);
	return true;
}

static void
add_hex(TagValues *values, const uint8_t *p, uint32_t n, bool strip)
{
	static const char digits[] = "0123456789abcdef";
	char text[64];
	uint32_t len = 0;

	/* Ids of links may be of any length; those of no sensible one are left out. */
	if (n == 0 || n > sizeof(text) / 2)
		return;
	for (uint32_t i = 0; i < 2 * n; i++)
	{
		uint8_t d = i % 2 ? p[i / 2] & 15 : p[i / 2] >> 4;

		if (!strip || len > 0 || d > 0)
			text[len++] = digits[d];
	}
	put_string(values, str_of(text, len));
}

static void
add_number_hex(TagValues *values, int64_t id)
{
	uint8_t bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t) ((uint64_t) id >> (56 - 8 * i));
	add_hex(values, bytes, 8, false);
}

/* One string of a part's column. */
static void
add_cell(TagValues *values, const Part *part, Str s)
{
	EvalValue v;
	Value found;

	switch (part->kind)
	{
		case PART_ENTRIES:
			if (s.len == 0 || !value_find(s, values->attr.key, &found))
				return;
			v = eval_from_value(&found);
			tag_values_add(values, &v);
			break;
		case PART_HEX: add_hex(values, (const uint8_t *) s.p, s.len, part->strip); break;
		default:
			if (s.len)
				put_string(values, s);
			break;
	}
}

/* ---- whole images ---- */

/* Are there values of the language in a column of this type? */
static bool
type_has_values(uint8_t type)
{
	return type != VALUE_EMPTY && type != VALUE_BYTES && type != VALUE_KVLIST;
}

static Value
value_of_type(uint8_t type, const Str *s, const int64_t *number)
{
	Value v = {.type = type};

	switch (type)
	{
		case VALUE_BOOL: v.b = *number != 0; break;
		case VALUE_INT: v.i = *number; break;
		case VALUE_DOUBLE: memcpy(&v.d, number, sizeof(v.d)); break;
		default: v.s = *s; break;
	}
	return v;
}

static bool
image_attr(TagValues *values, Image *image, Level level, uint32_t index, uint8_t type)
{
	bool number = type == VALUE_BOOL || type == VALUE_INT || type == VALUE_DOUBLE;
	const int64_t *numbers = NULL;
	const Str *strings = NULL;
	uint32_t n;

	if (number)
		numbers = image_numbers(image, level, LOAD_ATTR, index, &n);
	else
		strings = image_strings(image, level, LOAD_ATTR, index, &n);
	if (!numbers && !strings)
		return false;
	for (uint32_t i = 0; i < n && !values->missing; i++)
	{
		Value v = value_of_type(type, number ? NULL : &strings[i], number ? &numbers[i] : NULL);
		EvalValue e = eval_from_value(&v);

		tag_values_add(values, &e);
	}
	return true;
}

static bool
image_attrs_of_key(TagValues *values, Image *image, Level level)
{
	uint32_t n;
	const AttrColumn *columns = image_attrs(image, level, &n);
	bool known = true;

	for (uint32_t c = 0; c < n; c++)
	{
		if (!str_eq(columns[c].key, values->attr.key) || !type_has_values(columns[c].type) ||
			image_attr_values(image, level, c) == 0)
			continue;
		known &= image_attr(values, image, level, c, columns[c].type);
	}
	return known;
}

bool
tag_values_image(TagValues *values, Image *image)
{
	bool known = true;

	for (uint32_t i = 0; i < values->nparts; i++)
	{
		const Part *part = &values->parts[i];
		const Str *strings;
		uint32_t n;

		if (part->kind == PART_ATTR)
			known &= image_attrs_of_key(values, image, part->level);
		else if (part->kind == PART_ENTRIES || part->kind == PART_STRINGS || part->kind == PART_HEX)
		{
			strings = image_strings(image, part->level, LOAD_COLUMN, part->col, &n);
			known &= strings != NULL;
			for (uint32_t k = 0; strings && k < n && !values->missing; k++)
				add_cell(values, part, strings[k]);
		}
		else
			known = false;
	}
	return known;
}

bool
tag_values_covered(TagValues *values, Image *image)
{
	bool known;

	if (values->nparts == 0)
		return false;
	values->probing = true;
	values->missing = false;
	known = tag_values_image(values, image);
	known &= !values->missing;
	values->probing = values->missing = false;
	return known;
}

/* ---- batches: attribute columns ---- */

static void
find_columns(TagValues *values, Part *part, const AttrSet *attrs, uint64_t source)
{
	if (part->source == source)
		return;
	part->source = source;
	part->ncolumns = 0;
	for (uint32_t c = 0; c < attrs->ncolumns; c++)
	{
		if (!str_eq(attrs->columns[c].key, values->attr.key) || !type_has_values(attrs->columns[c].type))
			continue;
		if (part->ncolumns == part->cap_columns)
		{
			uint32_t cap = part->cap_columns ? 2 * part->cap_columns : 4;
			Marks *marks = arena_alloc0(values->arena, cap * sizeof(Marks));

			part->columns = arena_grow(values->arena, part->columns, part->cap_columns * sizeof(uint32_t),
									   cap * sizeof(uint32_t));
			if (part->cap_columns)
				memcpy(marks, part->column_marks, part->cap_columns * sizeof(Marks));
			part->column_marks = marks;
			part->cap_columns = cap;
		}
		part->columns[part->ncolumns++] = c;
	}
}

static void
add_at(TagValues *values, const AttrColumn *column, uint32_t i)
{
	Value v = attr_value(column, i);
	EvalValue e = eval_from_value(&v);

	tag_values_add(values, &e);
}

/* Entries of a dictionary, of a part's column or of strings, that bring nothing new. */
static void
mark_known(TagValues *values, Marks *marks, const Part *part, const Column *column)
{
	values->probing = true;
	for (uint32_t i = 0; i < column->ndict && column->ndict <= MARKS_PROBE; i++)
	{
		values->missing = false;
		if (part)
			add_cell(values, part, column->dict[i]);
		else
			put_string(values, column->dict[i]);
		if (!values->missing)
			marks_set(marks, i);
	}
	values->probing = values->missing = false;
}

/* Whether more of the column's dictionary may come. */
static bool
batch_strings_of(TagValues *values, Marks *marks, const AttrColumn *column, uint64_t source,
				 const uint8_t *rows)
{
	const Column *c = &column->values;

	if (marks_use_dict(marks, values->arena, source, c) && c->dict_shared && column->type == VALUE_STRING)
		mark_known(values, marks, NULL, c);
	for (uint32_t i = 0; i < c->n && marks->left > 0; i++)
		if ((!rows || rows[column->rows[i]]) && marks_set(marks, c->codes[i]))
			add_at(values, column, i);
	return !c->dict_shared || marks->left > 0;
}

static void
batch_numbers_of(TagValues *values, const AttrColumn *column, const uint8_t *rows)
{
	const int64_t *v = column->values.i64;
	int64_t last = 0;
	bool any = false;

	for (uint32_t i = 0; i < column->values.n; i++)
	{
		if ((any && v[i] == last) || (rows && !rows[column->rows[i]]))
			continue;
		add_at(values, column, i);
		last = v[i];
		any = true;
	}
}

static bool
batch_attr(TagValues *values, Part *part, Batch *batch, uint64_t source, const uint8_t *rows, Arena *scratch)
{
	AttrSet *attrs = batch->level[part->level].attrs;
	bool more = false;

	if (!attrs)
		return false;
	find_columns(values, part, attrs, source);
	for (uint32_t k = 0; k < part->ncolumns; k++)
	{
		Marks *marks = &part->column_marks[k];
		AttrColumn *column;

		if (marks->source == source && marks->left == 0)
			continue;
		column = rows ? batch_attr_rows(batch, part->level, part->columns[k])
					  : batch_attr_column(batch, part->level, part->columns[k]);
		if (column->values.kind == COL_BYTES)
			more |= batch_strings_of(values, marks, column, source, rows);
		else
		{
			more = true;
			batch_numbers_of(values, column, rows);
		}
	}
	return more;
}

/* ---- batches: columns ---- */

static bool
batch_cells(TagValues *values, Part *part, const Column *column, uint64_t source, const uint8_t *rows)
{
	if (marks_use_dict(&part->marks, values->arena, source, column) && column->dict_shared)
		mark_known(values, &part->marks, part, column);
	for (uint32_t r = 0; r < column->n && part->marks.left > 0; r++)
	{
		if ((rows && !rows[r]) || (column->nulls && column->nulls[r]))
			continue;
		if (marks_set(&part->marks, column->codes[r]))
			add_cell(values, part, column_str(column, r));
	}
	return !column->dict_shared || part->marks.left > 0;
}

static bool
batch_ids(TagValues *values, const Part *part, const Column *column, const uint8_t *rows)
{
	const uint8_t *last = NULL;

	for (uint32_t r = 0; r < column->n; r++)
	{
		const uint8_t *id;

		if (rows && !rows[r])
			continue;
		if (part->kind == PART_NUMBER)
		{
			add_number_hex(values, column->i64[r]);
			continue;
		}
		/* the same for all spans of a trace */
		id = column->fixed + 16 * (size_t) r;
		if (!last || memcmp(id, last, 16) != 0)
			add_hex(values, id, 16, true);
		last = id;
	}
	return true;
}

static bool
batch_enum(TagValues *values, const Part *part, const Column *column, const uint8_t *rows)
{
	uint32_t seen = 0;

	for (uint32_t r = 0; r < column->n; r++)
		if (!rows || rows[r])
			seen |= 1u << (column->i64[r] >= 0 && column->i64[r] <= 5 ? column->i64[r] : 0);
	for (int64_t i = 0; i <= 5; i++)
		if (seen & 1u << i)
			add_enum(values, part->col, i);
	return true;
}

static bool
batch_part(TagValues *values, Part *part, Batch *batch, uint64_t source, const uint8_t *rows, Arena *scratch)
{
	Column *column;

	if (batch->level[part->level].nrows == 0)
		return true;
	rows = marks_child_rows(batch, part->level, rows, scratch);
	if (part->kind == PART_ATTR)
		return batch_attr(values, part, batch, source, rows, scratch);
	column = batch_column(batch, part->level, part->col);
	switch (part->kind)
	{
		case PART_NUMBER:
		case PART_TRACE: return batch_ids(values, part, column, rows);
		case PART_ENUM: return batch_enum(values, part, column, rows);
		default: return batch_cells(values, part, column, source, rows);
	}
}

void
tag_values_batch(TagValues *values, Batch *batch, uint64_t source, const uint8_t *rows, Arena *scratch)
{
	for (uint32_t i = 0; i < values->nparts; i++)
	{
		Part *part = &values->parts[i];

		if (part->exhausted != source && !batch_part(values, part, batch, source, rows, scratch))
			part->exhausted = source;
	}
}

bool
tag_values_exhausted(const TagValues *values, uint64_t source)
{
	for (uint32_t i = 0; i < values->nparts; i++)
		if (values->parts[i].exhausted != source)
			return false;
	return values->nparts > 0;
}
