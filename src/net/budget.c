/*
 * budget.c
 *	  Accounts in the order of their first charge; see budget.h.
 */
#include <string.h>
#include <time.h>

#include "net/budget.h"

void
account_open(Account *a, Budget *budget, void (*resume)(void *), void *owner)
{
	memset(a, 0, sizeof(*a));
	a->budget = budget;
	a->resume = resume;
	a->owner = owner;
}

static void
link_last(Account *a)
{
	Budget *b = a->budget;

	a->prev = b->last;
	a->next = NULL;
	if (b->last)
		b->last->next = a;
	else
		b->first = a;
	b->last = a;
}

static void
unlink_account(Account *a)
{
	Budget *b = a->budget;

	if (a->prev)
		a->prev->next = a->next;
	else
		b->first = a->next;
	if (a->next)
		a->next->prev = a->prev;
	else
		b->last = a->prev;
	a->prev = a->next = NULL;
}

static void
set_stopped(Account *a, bool stopped)
{
	if (a->stopped != stopped)
		a->budget->stopped += stopped ? 1 : -1;
	a->stopped = stopped;
}

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The one that may go on above the limit: the oldest still receiving, but not one that has fallen asleep. */
static const Account *
favourite(const Budget *budget)
{
	const Account *o = budget->first;
	int64_t asleep = now_ms() - BUDGET_PATIENCE_MS;

	while (o && (!o->receiving || (!o->stopped && o->charged < asleep)))
		o = o->next;
	return o;
}

bool
account_charge(Account *a, size_t bytes)
{
	Budget *b = a->budget;

	if (bytes == 0)
		return !a->stopped;
	if (a->bytes == 0)
		link_last(a);
	a->bytes += bytes;
	if (a->complete) /* the start of the next, pipelined request */
		b->queued += bytes;
	else
		a->receiving = true;
	b->used += bytes;
	a->charged = now_ms();
	set_stopped(a, a->receiving && b->used > b->limit && favourite(b) != a);
	return !a->stopped;
}

bool
account_complete(Account *a)
{
	Budget *b = a->budget;
	bool fits = b->queued == 0 || b->queued + a->bytes <= b->limit;

	a->receiving = false;
	a->complete = true;
	b->queued += a->bytes;
	set_stopped(a, false);
	return fits;
}

void
account_clear(Account *a)
{
	if (a->complete)
		a->budget->queued -= a->bytes;
	if (a->bytes)
	{
		a->budget->used -= a->bytes;
		a->bytes = 0;
		unlink_account(a);
	}
	a->receiving = a->complete = false;
	set_stopped(a, false);
}

bool
account_must_fail(const Account *a)
{
	return a->budget->used > a->budget->hard && favourite(a->budget) != a;
}

void
budget_resume(Budget *budget)
{
	const Account *first = budget->stopped ? favourite(budget) : NULL;

	for (Account *a = budget->first, *next; a && budget->stopped; a = next)
	{
		next = a->next;
		if (a->stopped && (budget->used <= budget->limit || a == first))
		{
			set_stopped(a, false);
			a->charged = now_ms();
			a->resume(a->owner);
		}
	}
}
