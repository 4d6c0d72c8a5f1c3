/*
 * random_metrics.c
 *	  Random metrics queries: functions, groups, second stages, arithmetic.
 */
#include "random_parts.h"

#include <string.h>

static Sample
whole_sample(void)
{
	Sample s = numeric_sample();

	for (int i = 0; i < 5 && s.value.type == T_FLOAT; i++)
		s = numeric_sample();
	return s;
}

/* duration is what people measure. */
static Text
measured_field(bool whole)
{
	if (chance(35))
	{
		put_use(P_INTRINSIC, "");
		return text_of("duration");
	}
	return whole ? whole_sample().text : chance(90) ? numeric_sample().text : sample().text;
}

/* Each attribute once. */
static void
put_group(int most)
{
	Text seen[5];
	int n = 1 + rnd(chance(80) ? 2 : most);

	put_use(P_GROUP, chance(50) ? " by (" : " by(");
	for (int i = 0; i < n;)
	{
		Sample s = sample();
		bool known = false;

		for (int k = 0; k < i; k++)
			known |= text_same(seen[k], s.text);
		if (known)
			continue;
		put(i ? ", " : "");
		out_text(&q, s.text);
		seen[i++] = s.text;
	}
	put(")");
}

static void
put_quantiles(void)
{
	static const char *const list[] = {".5", "0.9", "0", "1", "0.25", ".99"};
	int first = rnd(6);
	int n = 1 + rnd(3);

	for (int i = 0; i < n; i++)
	{
		put(", ");
		put(list[(first + i) % 6]);
	}
}

static void
put_function(int most_labels)
{
	static const char *const names[] = {"min_over_time(", "max_over_time(",      "avg_over_time(",
										"sum_over_time(", "quantile_over_time(", "histogram_over_time("};
	int i = rnd(9);

	if (i >= 6)
		put_use(i == 6 ? P_RATE : P_COUNT_OVER_TIME, i == 6 ? "rate()" : "count_over_time()");
	else
	{
		put_use(P_MIN_OVER_TIME + i, names[i]);
		out_text(&q, measured_field(i >= 4));
		if (i == 4)
			put_quantiles();
		put(")");
	}
	if (chance(55))
		put_group(i == 2 || i == 4 || i == 5 ? 4 : most_labels);
}

static void
put_compare_stage(const Data *data)
{
	put_use(P_COMPARE, "compare(");
	put_filter();
	if (chance(50))
	{
		use(P_COMPARE_TOP);
		out_fmt(&q, ", %d", chance(50) ? 1000 : 1 + rnd(5));
		if (chance(40))
		{
			int64_t from = data->spans[rnd(data->nspans)]->start;

			use(P_COMPARE_WINDOW);
			out_fmt(&q, ", %lld, %lld", (long long) from, (long long) from + (1 + rnd(900)) * 1000000000LL);
		}
	}
	put(")");
}

static void
put_seconds(void)
{
	static const char *const numbers[] = {"0", "1", "2", "0.5", "100ms", "-1", "1/2.0", "10", "(1 + 2)"};
	int n = chance(60) ? 0 : 1 + rnd(2);

	for (int i = 0; i < n; i++)
	{
		int at = rnd(3);

		if (at < 2)
		{
			put_use(at ? P_TOPK : P_BOTTOMK, at ? " | topk(" : " | bottomk(");
			out_fmt(&q, "%d)", 1 + rnd(4));
		}
		else
		{
			use(P_SECOND_COMPARE);
			put(comparison(T_INT));
			put(numbers[rnd(9)]);
		}
	}
}

static void
put_metric(int most_labels)
{
	put_pipeline(rnd(3));
	put(" | ");
	put_function(most_labels);
	put_seconds();
}

static void put_calc(int depth);

static void
put_calc_operand(int depth)
{
	put("(");
	if (depth > 0 && chance(30))
		put_calc(depth - 1);
	else
		put_metric(4);
	put(")");
}

static void
put_calc(int depth)
{
	static const char *const ops[] = {" + ", " - ", " * ", " / "};
	static const char *const numbers[] = {"2", "0.5", "-1", "100/3", "0", "(1 + 1)"};
	int op = rnd(4);
	int at = rnd(10);

	if (at < 2)
	{
		put_use(P_METRIC_NUMBER_FIRST, numbers[rnd(6)]);
		put(ops[op]);
		put_calc_operand(depth);
	}
	else
	{
		put_calc_operand(depth);
		put(ops[op]);
		use(at < 4 ? P_METRIC_NUMBER : P_METRIC_ADD + op);
		if (at < 4)
			put(numbers[rnd(6)]);
		else
			put_calc_operand(depth);
	}
}

static void
put_metric_hints(void)
{
	static const char *const list[] = {" with(extrapolate=true)", " with(sample=0.5)", " with(exemplars=3)"};

	put_use(P_HINTS, list[rnd(3)]);
}

Text
random_metrics(const Data *about)
{
	int at = rnd(100);

	begin_query(about);
	if (at < 8)
	{
		put_pipeline(rnd(2));
		put(" | ");
		put_compare_stage(about);
	}
	else if (at < 25)
	{
		put_calc(1);
		put_seconds();
	}
	else
		put_metric(5);
	if (chance(8))
		put_metric_hints();
	return out_done(&q);
}
