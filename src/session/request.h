/* A request: what a client sends until it must wait. A Query or FunctionCall by itself, or the
 * messages of the extended protocol up to a Sync or Flush. What is too large to be held is cut: see
 * `open` and `later`. */
#pragma once

#include "session/rooms.h"

struct session;

/* One message of a request, its names resolved in the order of the messages. */
struct message {
    uint8_t type;
    bool named;                  /* Parse, Bind, Describe, Close: of a statement that has a name */
    bool foreign;                /* of a name that is ours, and not of any of its statements */
    bool duplicate;              /* Parse: of a name that is in use; the server is to refuse it */
    uint8_t what;                /* Describe, Close: S or P */
    uint32_t at, len;            /* in request.bytes */
    uint32_t rest;               /* Bind: offset in the body of what follows the names */
    uint32_t name_at, name_len;  /* Query: the name in its text that `use` is about */
    uint8_t use;                 /* .. enum prepare_use */
    struct statement *statement; /* referenced; NULL: none of that name */
};

/* What is known of a text: beside a statement, or of the Query of this request. */
struct known_text {
    struct known_shape *known; /* referenced */
    struct values values;      /* the literals; parameters are bound later */
};

struct whose;
struct harvest;

struct request {
    /* What is kept when it is used again, or is only read where it was written. */
    struct ring spare; /* in rooms.spare while it is nobody's */
    struct buf bytes;  /* the messages, whole but for `later` bytes of the last */
    struct buf held;   /* of a replica's answer; nothing of it has reached the client */
    struct message *messages;
    unsigned nmessages, cap;
    struct harvest *harvest; /* of what a write returns; NULL: nothing ever was */
    struct whose *whose;     /* the look-up of a tier; NULL: it never asked for one */
    struct known_text text;  /* of the first Query or Bind, its parameters bound */
    bool has_text;           /* text.known is referenced */
    struct rules *rules;     /* referenced: the verdict points into them */
    struct pinned pinned;
    struct footprint_read read;
    struct need need;
    struct key key;
    struct cache_ask ask;
    struct err err; /* of FAILED; set where it has a SQLSTATE */

    /* All that follows is zero in a fresh one. */
    size_t later;          /* bytes of the last message that follow, not read by us */
    bool open;             /* neither Sync nor Query ends it: more of the same exchange follows */
    bool simple;           /* a Query or FunctionCall */
    bool synced;           /* ends with a Sync */
    bool unread;           /* holds something that was not understood: a write to everything */
    bool unseen;           /* of a text that was not seen, so that it may leave anything behind */
    bool plain;            /* [Parse] Bind [Describe] Execute Sync, or one Query */
    bool swift;            /* changes nothing of what the next request means or needs */
    unsigned first_change; /* of names: its number */
    bool asks_names;       /* which statements there are */
    bool spells;           /* speaks of names of statements in texts that are not rewritten */
    bool describes;        /* its portal: the client wants the RowDescription */
    unsigned nqueries;     /* Queries and Binds */
    struct slice results;  /* result formats of the Bind of `text` */

    /* How far it is, and what it has taken. */
    enum step_name at;
    uint32_t entered; /* bit per step */
    bool waiting;     /* a ticket is out, or the server is at work */
    bool settling;    /* every step was left; see hearing_waits */

    struct verdict verdict;
    bool asks_tier;     /* the tier of its user may change the verdict */
    uint32_t user_tier; /* .. its bit, 0: not known */
    bool alone;         /* the whole of an autocommit transaction: one statement, plain */
    bool write, cacheable;
    bool listens;        /* LISTEN or UNLISTEN are in it */
    bool notifies;       /* NOTIFY is */
    bool asks_channels;  /* pg_listening_channels is */
    bool asks_sequences; /* for what an earlier nextval of this session was */
    bool refused;        /* by us, in err, before anything of it was sent */
    bool bound;          /* not to be done in a transaction that lives on a replica */
    bool snapshot;       /* the first of a transaction that may live on a replica */
    bool moves;          /* to whatever node was chosen for it: its session held no server */
    bool ddl;            /* may change the catalog */
    bool harvests;       /* its rows tell what it writes */
    bool asked, leads;
    struct pass pass;    /* one of its operation's, where that has a limit */
    int64_t must_end;    /* loop time: it is cancelled then; 0: never */
    int64_t waits_until; /* .. it waits for its turn no longer; 0: it does not wait */
    unsigned explains; /* EXPLAIN ROUTE ANALYZE: what it was asked with, see explaining.c; 0: it is
                          none */
    const char *answered_by; /* .. the node that it was sent to; NULL: none */
    struct node *node;       /* where it goes; NULL: where the session's server is */
    bool avoid_replica;
    bool made_room; /* the server refused it because of us, and was asked again */

    /* Of the replies. */
    bool checking;    /* a replica's answer that was not looked at yet */
    bool holding;     /* a replica's answer is kept in `held` until it is whole */
    bool discard;     /* nothing of it reaches the client */
    bool caused;      /* an error of what was put in front is in `held` */
    bool compared;    /* the columns of its statement */
    bool comparing;   /* .. are asked for, and nothing of it was sent yet */
    bool renewed;     /* its statement was outdated, and is prepared anew */
    bool passed;      /* a byte of it was handed to the client */
    bool late;        /* .. or it has run out of its time, and was cancelled for that */
    bool cancelled;   /* a CancelRequest came while a replica was at work */
    bool failed;      /* the server said ErrorResponse */
    bool rolled_back; /* the last CommandComplete was ROLLBACK */

    struct trail trail;
    int64_t entered_at;
};

/* A fresh one, maybe used before. */
struct request *request_new(struct rooms *rooms);
/* Gives back what it holds (not what its steps took: leave them first). */
void request_free(struct rooms *rooms, struct request *request);

/* Reads one whole message (or, with `later`, the beginning of one) at the end of request.bytes into
 * the list. Statements are looked up in the session's names, which change as the messages say.
 * False: it is malformed. */
bool request_add(struct session *session, struct request *request, uint32_t at, uint32_t len,
                 size_t later);

/* It is judged by today's rules, which live as long as it does. */
void request_take_rules(struct session *session, struct request *request);

/* The last message is in: finds out whether it is plain. */
void request_complete(struct request *request);
/* Frees what is kept for later use. */
void request_free_spare(struct rooms *rooms);

/* It is a Query of this text from now on, which may be a part of its own. */
void request_become(struct request *request, struct slice text);
/* The bytes of a message. */
struct slice request_slice(const struct request *request, const struct message *message);

/* Its statements no longer give what they gave when they were prepared (PostgreSQL, plancache.c):
 * they are prepared anew under other names, for whoever prepares them from now on, and for this
 * client where it is `told` of the new columns. */
void request_renew(struct session *session, struct request *request, bool told);
/* The client reads rows as it was told they are before this request, and is not told in it. */
bool request_relies(const struct request *request);
/* The text that a request of one statement runs; empty where there is none. */
struct slice request_text(const struct request *request);

/* Calls `each` for every Query and Bind in order: its shape and its values. The first one's are
 * request.text. False where one's values could not be read. */
bool request_each(struct session *session, struct request *request,
                  void (*each)(struct session *session, struct request *request,
                               struct known_shape *known, const struct values *values));
