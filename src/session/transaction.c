/* What a session's transaction has written, from the first write to the word of its end in the
 * ledger. The marks outlive the session: they are lifted when the LSN of the commit is known, or
 * the backend that may have committed is gone. */
#include "session/conversation.h"
#include "session/feed.h"

#include "base/mem.h"

#include <stdio.h>

struct transaction {
    struct database *database;
    struct footprint_write write;
    bool written, ddl;
    unsigned awaited; /* writes whose rows are to tell what they wrote */
    uint64_t fed_by;  /* the generation of the feed that is to tell the rest */
    uint64_t lsn;
    struct feed_wish feed;
    bool fed;                /* counted as one that is to be told */
    bool may_have_committed; /* some of it, before what is the end of the rest */
    bool prepares;           /* PREPARE TRANSACTION was sent */
    uint64_t stamp;          /* .. of the ledger, before that */
    bool prepared;           /* .. and has succeeded: what it has written is noted */
    struct noted *noted;     /* of the prepared transaction that it ends; or NULL */
    bool commits;            /* .. by COMMIT PREPARED */
    union {
        struct lsn_wish lsn;
        struct gone_wish gone;
    } wish;
    struct ring link;       /* in database.transactions */
    struct fleet_mark mark; /* where the ledger is a fleet's */
    struct fleet_wait wait;
    enum { OPEN, WAITS_FOR_LSN, WAITS_FOR_BACKEND, WAITS_FOR_FEED } stage;
};

static struct transaction *transaction_of(struct session *session)
{
    if (!session->transaction) {
        session->transaction = mem_new(sizeof(struct transaction));
        session->transaction->database = session->database;
        ring_append(&session->database->transactions, &session->transaction->link);
    }
    return session->transaction;
}

static void forget(struct transaction *transaction)
{
    transaction->database->nfed -= transaction->fed;
    if (transaction->ddl)
        database_ddl_ended(transaction->database);
    ring_leave(&transaction->link);
    mem_free(transaction->noted);
    mem_free(transaction);
}

static void forget_mark(struct fleet_mark *mark)
{
    forget(mark->owner);
}

static void begin(struct transaction *transaction, const struct footprint_write *added)
{
    struct database *database = transaction->database;

    transaction->written = true;
    ledger_begin(database->ledger, added);
    if (!database->fleet)
        return;
    transaction->mark.write = &transaction->write;
    transaction->mark.ended = forget_mark;
    transaction->mark.owner = transaction;
    fleet_begin(database->fleet, &transaction->mark, added, transaction->ddl);
}

static void told_in_vain(struct session *session)
{
    struct err err;

    err_set(&err, "57P03", "the other proxies of the fleet could not be told of this write");
    err_hint(&err, "Redis, by which they are told (freshness.ledger), must be reachable at least "
                   "once after pgtier has started; see SHOW STATS.");
    if (session->replication) {
        session_fatal(session, &err);
        return;
    }
    session->request->err = err;
    session->request->refused = true;
    steps_failed(session);
}

static void told(struct fleet_wait *wait, bool good)
{
    struct session *session = wait->owner;

    if (!good)
        told_in_vain(session);
    else if (session->replication)
        replication_heard(session);
    else
        steps_on(session);
}

bool transaction_is_heard(struct session *session)
{
    struct transaction *transaction = session->transaction;
    struct database *database = session->database;

    if (!database || !database->fleet || !transaction || !transaction->written)
        return true;
    transaction->wait.told = told;
    transaction->wait.owner = session;
    return fleet_heard(database->fleet, &transaction->mark, &transaction->wait);
}

void transaction_stop_waiting(struct session *session)
{
    if (session->transaction)
        fleet_wait_leave(&session->transaction->wait);
}

/* What rows are to tell they may not tell in the end. */
static void count_fed(struct transaction *transaction)
{
    if (transaction->fed || !footprint_is_fed(&transaction->write, true))
        return;
    transaction->fed = true;
    transaction->database->nfed++;
}

void transaction_begin(struct session *session, const struct plan *plan,
                       const struct pinned *pinned, const struct footprint_telling *telling)
{
    struct transaction *transaction = transaction_of(session);
    struct footprint_write added;
    uint64_t generation = 0;
    const struct footprint_fed *fed = feed_tells(session->database->feed, &generation);

    if (!transaction->fed_by)
        transaction->fed_by = generation;
    footprint_write(plan, pinned, telling, generation == transaction->fed_by ? fed : NULL,
                    &transaction->write, &added);
    count_fed(transaction);
    transaction->awaited += telling != NULL;
    begin(transaction, &added);
}

/* Nobody need hear of it before: that there is a write of any value they know. */
void transaction_told(struct session *session, const struct footprint_telling *telling,
                      unsigned dim, struct slice value)
{
    struct transaction *transaction = session->transaction;
    struct footprint_write added;

    if (!transaction)
        return;
    footprint_told(telling, dim, value, &transaction->write, &added);
    if (added.ncells)
        begin(transaction, &added);
}

void transaction_untold(struct session *session, const struct footprint_telling *telling,
                        unsigned dim)
{
    if (session->transaction)
        footprint_untold(telling, dim, &session->transaction->write);
}

void transaction_harvested(struct session *session)
{
    if (session->transaction)
        session->transaction->awaited--;
}

static void begin_everything(struct transaction *transaction)
{
    struct footprint_write added;

    footprint_everything(&transaction->write, &added);
    begin(transaction, &added);
}

void transaction_begin_everything(struct session *session)
{
    begin_everything(transaction_of(session));
}

void transaction_ddl(struct session *session)
{
    struct transaction *transaction = transaction_of(session);

    if (!transaction->ddl)
        database_ddl_begins(session->database);
    transaction->ddl = true;
}

/* Somebody who does not know of a prepared transaction ends it by a write of everything. Since
 * `stamp` there was none that a member of the fleet has made: none was ended, and no other one has
 * its name. */
static bool is_same(struct database *database, uint64_t stamp)
{
    struct footprint_read read;

    footprint_read_nothing(&read);
    return ledger_valid(database->ledger, &read, stamp, false);
}

void transaction_prepares(struct session *session)
{
    struct transaction *transaction = transaction_of(session);
    struct footprint_read read;
    struct need need;

    footprint_read_nothing(&read);
    ledger_need(session->database->ledger, &read, &need);
    transaction->prepares = true;
    transaction->stamp = need.stamp;
}

/* Nothing of it can be seen until it is committed; what is not noted counts as written already, and
 * as everything then. */
void transaction_prepared(struct session *session, const char *gid)
{
    struct transaction *transaction = session->transaction;
    struct noteds *noteds = &session->database->noteds;
    struct noted *noted;

    mem_free(noteds_take(noteds, gid));
    if (!transaction || !transaction->prepares || transaction->ddl || transaction->write.everything)
        return;
    noted = mem_new(sizeof(*noted));
    snprintf(noted->gid, sizeof(noted->gid), "%s", gid);
    noted->write = transaction->write;
    if (transaction->awaited)
        footprint_unspare(&noted->write);
    noted->fed_by = transaction->fed_by;
    noted->stamp = transaction->stamp;
    noteds_put(noteds, noted);
    transaction->prepared = true;
}

bool transaction_ends_noted(struct session *session, const char *gid, bool commits)
{
    struct database *database = session->database;
    struct transaction *transaction;
    struct noted *noted = session->transaction ? NULL : noteds_take(&database->noteds, gid);

    if (!noted || !is_same(database, noted->stamp)) {
        mem_free(noted);
        return false;
    }
    transaction = transaction_of(session);
    transaction->noted = noted;
    transaction->commits = commits;
    if (commits && noted->write.ncells) {
        transaction->write = noted->write;
        transaction->fed_by = noted->fed_by;
        count_fed(transaction);
        begin(transaction, &noted->write);
    }
    return true;
}

/* Where others have ended one of that name meanwhile, it may have been another one. */
static void end_noted(struct transaction *transaction, bool rolled_back)
{
    struct database *database = transaction->database;

    if (!transaction->noted)
        return;
    if (is_same(database, transaction->noted->stamp)) {
        if (rolled_back) {
            noteds_put(&database->noteds, transaction->noted);
            transaction->noted = NULL;
        }
    } else if (transaction->commits && !rolled_back) {
        begin_everything(transaction);
    }
}

void transaction_note_commit(struct session *session)
{
    if (session->transaction)
        session->transaction->may_have_committed = true;
}

bool transaction_committed(const struct session *session)
{
    return session->transaction && session->transaction->may_have_committed;
}

static void commit_now(struct transaction *transaction, uint64_t lsn)
{
    if (transaction->database->fleet) {
        fleet_commit(transaction->database->fleet, &transaction->mark, lsn);
        return;
    }
    ledger_commit(transaction->database->ledger, &transaction->write, lsn);
    forget(transaction);
}

static void commit_at(struct lsn_wish *wish, uint64_t lsn)
{
    commit_now(wish->owner, lsn);
}

/* Which rows it has changed is told by now, and they are touched. */
static void feed_told(struct feed_wish *wish, bool good)
{
    struct transaction *transaction = wish->owner;

    if (good)
        footprint_spare_fed(&transaction->write);
    commit_now(transaction, transaction->database->has_replicas ? transaction->lsn : 0);
}

static void wait_for_feed(struct lsn_wish *wish, uint64_t lsn)
{
    struct transaction *transaction = wish->owner;

    transaction->lsn = lsn;
    transaction->stage = WAITS_FOR_FEED;
    transaction->feed.told = feed_told;
    transaction->feed.owner = transaction;
    transaction->feed.lsn = lsn;
    transaction->feed.generation = transaction->fed_by;
    feed_await(transaction->database->feed, &transaction->feed);
}

void transaction_end(struct session *session, bool rolled_back)
{
    struct transaction *transaction = session->transaction;
    struct database *database = session->database;
    bool fed;

    session->transaction = NULL;
    if (!transaction)
        return;
    fleet_wait_leave(&transaction->wait);
    database->generation += transaction->ddl;
    if (transaction->awaited)
        footprint_unspare(&transaction->write);
    rolled_back |= transaction->prepared;
    rolled_back &= !transaction->may_have_committed && !transaction->ddl;
    end_noted(transaction, rolled_back);
    if (!transaction->written || rolled_back) {
        if (transaction->written && database->fleet)
            fleet_abort(database->fleet, &transaction->mark);
        else if (transaction->written)
            ledger_abort(database->ledger, &transaction->write);
        forget(transaction);
        return;
    }
    fed = database->feed && footprint_is_fed(&transaction->write, false);
    if (!database->has_replicas && !fed) {
        commit_now(transaction, 0);
        return;
    }
    transaction->wish.lsn.told = fed ? wait_for_feed : commit_at;
    transaction->wish.lsn.owner = transaction;
    transaction->stage = WAITS_FOR_LSN;
    topology_lsn(database->topology, &transaction->wish.lsn);
}

void transaction_lost(struct session *session, uint32_t pid)
{
    struct transaction *transaction = session->transaction;
    struct database *database = session->database;

    session->transaction = NULL;
    if (!transaction)
        return;
    fleet_wait_leave(&transaction->wait);
    if (transaction->commits)
        begin_everything(transaction);
    if (!transaction->written) {
        forget(transaction);
        return;
    }
    footprint_unspare(&transaction->write);
    transaction->stage = WAITS_FOR_BACKEND;
    transaction->wish.gone.lsn.told = commit_at;
    transaction->wish.gone.lsn.owner = transaction;
    transaction->wish.gone.pid = pid;
    topology_gone(database->topology, &transaction->wish.gone);
}

void transactions_blur(struct database *database)
{
    RING_EACH(link, after, &database->transactions)
    {
        struct transaction *transaction = RING_OF(link, struct transaction, link);

        if (transaction->written)
            begin_everything(transaction);
    }
    noteds_clear(&database->noteds);
}

void transactions_forget(struct database *database)
{
    struct ring *link;

    while ((link = ring_first(&database->transactions))) {
        struct transaction *transaction = RING_OF(link, struct transaction, link);

        if (transaction->stage == WAITS_FOR_BACKEND)
            topology_gone_leave(database->topology, &transaction->wish.gone);
        else if (transaction->stage == WAITS_FOR_LSN)
            topology_lsn_leave(database->topology, &transaction->wish.lsn);
        else if (transaction->stage == WAITS_FOR_FEED)
            feed_wish_leave(&transaction->feed);
        fleet_wait_leave(&transaction->wait);
        fleet_forget(&transaction->mark);
        ring_leave(link);
        mem_free(transaction->noted);
        mem_free(transaction);
    }
    noteds_clear(&database->noteds);
}
