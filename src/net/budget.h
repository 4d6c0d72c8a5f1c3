/*
 * budget.h
 *	  The bound on what requests may hold in memory, shared by all connections of one worker.
 *
 * Each connection (HTTP/1.1) or stream (HTTP/2) has an Account, charged with the bytes it has received and
 * not yet had answered. Above the soft limit an account is told to stop reading, except the one that was
 * first charged among those still receiving and has sent something within the last second: so one request
 * always makes progress and all of them do in the end. What comes in all the same, within windows given
 * before, is refused above the hard limit. A complete request is refused when the complete ones before it
 * hold the limit already. Stopped accounts are resumed by budget_resume(), called between loop turns.
 *
 * Everything is malloc'd; accounts are members of their owner and must be closed before it is freed.
 */
#ifndef TEMPO_BUDGET_H
#define TEMPO_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUDGET_PATIENCE_MS 1000

typedef struct Account Account;

typedef struct Budget
{
	size_t limit;
	size_t hard;    /* what may come in before clients hear that they have to stop, beyond limit */
	size_t used;    /* by all accounts */
	size_t queued;  /* by those whose request is complete */
	Account *first; /* accounts that hold something, oldest charge first */
	Account *last;
	unsigned stopped;
} Budget;

struct Account
{
	Budget *budget;
	size_t bytes;
	bool receiving; /* the request is not complete yet */
	bool complete;  /* counted in queued */
	bool stopped;
	int64_t charged;             /* when, ms */
	void (*resume)(void *owner); /* read again; must not close any account */
	void *owner;
	Account *prev;
	Account *next;
};

extern void account_open(Account *a, Budget *budget, void (*resume)(void *), void *owner);
/* More bytes came in for an incomplete request. false: stop reading until resumed. */
extern bool account_charge(Account *a, size_t bytes);
/*
 * The request is complete: it holds its bytes, but does not compete for more. false: too much is waiting
 * already, it must be refused. A request alone is always taken.
 */
extern bool account_complete(Account *a);
/* The request is answered or given up: nothing is held any more. */
extern void account_clear(Account *a);

/* Clients send on although told to stop: this one has to be refused. Never the one that may go on. */
extern bool account_must_fail(const Account *a);
extern void budget_resume(Budget *budget);

#endif
