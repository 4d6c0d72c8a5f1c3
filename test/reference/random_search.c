/*
 * random_search.c
 *	  Random searches: spansets, stages, pipelines.
 */
#include "random_parts.h"

/* ---- spansets ---- */

void
put_filter(void)
{
	if (chance(12))
		put_use(P_FILTER_EMPTY, chance(50) ? "{}" : "{ }");
	else
	{
		put_use(P_FILTER, "{ ");
		put_bool(rnd(4));
		if (chance(1))
			put_use(P_COMMENT, " /* that's it */");
		put(" }");
	}
}

static void
put_set_op(void)
{
	static const char *const list[] = {" && ", " || ", " > ",   " < ",   " >> ",  " << ",
									   " ~ ",  " !> ", " !< ",  " !>> ", " !<< ", " !~ ",
									   " &> ", " &< ", " &>> ", " &<< ", " &~ "};
	int i = rnd(17);

	put_use(P_SET_AND + i, list[i]);
}

void
put_set(int depth)
{
	int at = rnd(100);

	if (depth == 0 || at < 40)
		put_filter();
	else if (at < 85)
	{
		put_set(depth - 1);
		put_set_op();
		put_set(depth - 1);
	}
	else
	{
		put_use(P_SET_PARENS, "(");
		put_set(depth - 1);
		put(")");
	}
}

/* ---- stages ---- */

static void
put_aggregate_number(Val v)
{
	static const char *const constants[] = {"2 * 3", "5/2", "(1 + 1) * 2.5", "-1"};

	if (chance(5))
		put_use(P_NUMBER_FOLDED, constants[rnd(4)]);
	else
		put_literal(is_number(&v) ? v : (Val){.type = T_INT, .i = 1});
}

static void
put_scalar_filter(void)
{
	static const char *const names[] = {"min(", "max(", "sum(", "avg("};
	Sample s = numeric_sample();
	int i = rnd(4);

	use(P_STAGE_SCALAR);
	if (chance(45))
	{
		put_use(P_COUNT, "count()");
		put(comparison(T_INT));
		put_aggregate_number((Val){.type = T_INT, .i = 1 + rnd(5)});
		return;
	}
	put_use(P_MIN + i, names[i]);
	if (chance(15))
		put_arith(1);
	else
		out_text(&q, s.text);
	put(")");
	put(comparison(T_INT));
	put_aggregate_number(literal_for(s.value));
}

static void
put_by(void)
{
	put_use(P_STAGE_BY, "by(");
	if (chance(70))
		out_text(&q, sample().text);
	else if (chance(50))
		put_bool(1);
	else
		put_arith(1);
	put(")");
}

static void
put_select(void)
{
	int n = 1 + rnd(3);

	put_use(P_STAGE_SELECT, "select(");
	for (int i = 0; i < n; i++)
	{
		put(i ? ", " : "");
		out_text(&q, sample().text);
	}
	put(")");
}

static void
put_stage(bool first, int depth)
{
	int at = rnd(100);

	if (at < 35)
		put_scalar_filter();
	else if (at < 60)
		put_by();
	else if (at < 70 && !first)
		put_use(P_STAGE_COALESCE, "coalesce()");
	else if (at < 82)
		put_select();
	else
	{
		use(P_STAGE_SET);
		put_set(depth);
	}
}

void
put_pipeline(int depth)
{
	int n = chance(45) ? 0 : 1 + rnd(3);

	if (chance(92))
		put_set(depth);
	else
		put_stage(true, depth);
	for (int i = 0; i < n; i++)
	{
		put(" | ");
		put_stage(false, depth > 1 ? 1 : depth);
	}
}

/* Groups are put together before structure, which takes one spanset a side. */
static void
put_operand(bool first)
{
	put("(");
	put_set(1);
	if (first || chance(60))
	{
		put(" | ");
		put_stage(false, 1);
		if (chance(70))
			put_use(P_STAGE_COALESCE, " | coalesce()");
	}
	put(")");
}

static void
put_combined(void)
{
	int n = 1 + rnd(2);

	use(P_COMBINED);
	put_operand(true);
	for (int i = 0; i < n; i++)
	{
		put_set_op();
		put_operand(false);
	}
}

static void
put_hints(void)
{
	static const char *const list[] = {" with(most_recent=true)", " with(foo=1, bar=\"x\")",
									   " with(most_recent=true) with(exemplars=10)", " with(sample=0.5)"};

	put_use(P_HINTS, list[rnd(4)]);
}

static void
put_unsupported(void)
{
	static const char *const list[] = {"({ } | count()) > 2",
									   "({ } | count()) > ({ .a = 1 } | count())",
									   "(({ } | max(duration)) + ({ } | min(duration))) >= 1s",
									   "{} | 2 < count()",
									   "{} | count() > avg(duration)",
									   "{} | count() + 1 > 2",
									   "{ parent.a = 1 }",
									   "{ parent = nil }",
									   "{} | select(parent.span.a)",
									   "{} | by(parent.resource.a)"};

	put_use(P_UNSUPPORTED, list[rnd(10)]);
}

Text
random_search(const Data *about)
{
	begin_query(about);
	if (chance(1))
		put_unsupported();
	else if (chance(8))
		put_combined();
	else
		put_pipeline(rnd(4));
	if (chance(3))
		put_hints();
	if (chance(1))
		put_use(P_COMMENT, " // the end");
	return out_done(&q);
}
