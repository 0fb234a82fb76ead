/* The inside of a session, for the files of this room. */
#pragma once

#include "rules/hint.h"
#include "session/names.h"
#include "session/request.h"
#include "session/session.h"

struct client_login;
struct replication;
struct welcome;
struct hearer;
struct transaction;
struct said;
struct deadline;

struct inventory;

/* Why a session keeps its server outside of transactions. name, text */
#define PINS(X)                                                                                    \
    X(POOLING, "session pooling")                                                                  \
    X(REPLICATION, "replication")                                                                  \
    X(TEMPORARY, "temporary tables")                                                               \
    X(LOCKS, "advisory locks")                                                                     \
    X(CURSORS, "cursors WITH HOLD")                                                                \
    X(PREPARED, "statements prepared by SQL")                                                      \
    X(CHANNELS, "LISTEN")                                                                          \
    X(LIBRARY, "a loaded library")                                                                 \
    X(SEED, "a random seed")                                                                       \
    X(OTHER, "a backup, a slot or a replication origin")                                           \
    X(SEQUENCES, "currval and lastval")                                                            \
    X(UNSEEN, "settings of names that code computes")                                              \
    X(UNKNOWN, "what it has left is not known")

enum pin {
#define X(name, text) PIN_##name,
    PINS(X)
#undef X
        PIN_NONE
};

#define PIN_BIT(pin) (1u << (pin))
/* Of the server's process: no DISCARD ALL ends them. */
#define PINS_OF_PROCESS (PIN_BIT(PIN_LIBRARY) | PIN_BIT(PIN_SEED) | PIN_BIT(PIN_OTHER))
/* With these a name may mean something else than for the others. */
#define PINS_ODD (PIN_BIT(PIN_TEMPORARY) | PIN_BIT(PIN_UNSEEN) | PIN_BIT(PIN_UNKNOWN))

enum outcome { STEP_ON, STEP_WAIT, STEP_ANSWERED, STEP_FAILED };

enum { PARTS_MAX = 48 };

/* What goes to the client in one send. */
struct outbox {
    struct slice parts[PARTS_MAX];
    unsigned count;
};

struct session {
    struct rooms *rooms;
    struct stream *client;
    struct ring link; /* in rooms.sessions */
    uint64_t number;
    char who[48];                    /* "session 17", for log lines */
    struct client_login *login;      /* NULL once it is in */
    struct welcome *welcome;         /* NULL before and after */
    struct replication *replication; /* NULL: it is none */
    struct database *database;       /* NULL: the console's */
    char *user;
    struct vars vars;
    struct buf asked;    /* settings of its startup packet as they came: name NUL value NUL .. */
    struct vars rewound; /* of startup: RESET in this transaction, to be set in it */
    struct vars startup; /* those that the client came with: where RESET goes back to */
    uint64_t wanted;     /* hash of vars, all of them */
    uint64_t settings;   /* hash of vars that may change a result */
    const struct search_path
        *path;        /* as it has set it; NULL: it has not, or it is not understood */
    uint64_t parsing; /* hash of vars that may change what a text means when it is parsed */
    uint16_t minor;   /* of the protocol 3 that it speaks: 0 or 2 */
    uint32_t pid;     /* as its client knows it */
    uint8_t secret[32], secret_len;
    struct map_link key; /* in rooms.keys */
    bool in, ending;     /* logged in; on its way out */

    /* What the client has sent and was not worked off. */
    struct buf input;
    size_t scanned; /* of it: whole messages of the request that is being gathered */
    size_t passing; /* bytes of a large message still to come, for the server or nobody */
    bool passing_drop;
    bool working; /* bytes are being worked off: no re-entrance */

    /* The conversation. */
    uint8_t status;   /* as the client was last told: I, T, E */
    struct buf begin; /* the text of the BEGIN that began the transaction, while it may be needed */
    bool begun;       /* .. which no server has been told yet */
    bool snapshot;    /* READ ONLY and REPEATABLE READ: may live on a replica */
    struct known_shape *opening; /* it does, since this first statement; referenced */
    bool midway;                 /* extended messages went out that no Sync has ended */
    bool skipping;               /* an error of ours: everything up to the Sync is passed over */
    bool copying;                /* the server takes CopyData */
    bool copy_failed;            /* .. and has said why it takes no more */
    bool copy_extended;          /* .. from an Execute */
    /* From one ReadyForQuery to the next: how many Parses and Closes went out and came back. */
    unsigned changes, changes_done;
    bool exchange_failed, parse_failed;
    bool serializable; /* by default: no standby can do that */
    bool blind;        /* its texts may mean something else than they seem to: encoding, strings */
    bool soils;        /* its transaction may leave a setting that nobody sees */
    bool odd_transaction; /* until its end names mean what nobody knows */
    bool anew; /* until ReadyForQuery: settings went back to `startup`, which no server knows of */
    unsigned pins;               /* PIN_BIT of each */
    uint64_t sequences_on;       /* number of the server that has what its currval tells of */
    struct inventory *inventory; /* of what it has left on its server; NULL: nothing in doubt */
    struct deadline *deadline;   /* of a request that may take so long and no longer, or NULL */
    struct said *said;           /* what it says of its own statements; NULL: nothing */
    struct hearer *hearer;       /* what it listens to, but for its server; NULL: nothing */
    struct buf unlistens;        /* what its transaction ends of that: names, each with its NUL */
    bool unlistened;             /* .. as a server has said */
    bool notifies;               /* its transaction may have sent notifications */
    bool shows; /* until its end its server listens to the same, for pg_listening_channels */
    struct names names;
    struct take take;                /* a server, or the wish for one */
    struct node *node;               /* whose server it is */
    struct transaction *transaction; /* what it has written; NULL: nothing */
    struct request *request;         /* in work */
    struct ring ahead; /* those behind it that were sent before it was answered: request.spare */
    unsigned nahead;
    bool serial; /* what comes next is not sent ahead: the one in work is waited for */
    struct outbox out;
    struct vars texts; /* of the console's statements (S...) and portals (P...) */
    uint64_t requests;
    int64_t connected, since;
};

/* session.c */
void session_say(struct session *session, const char *severity, const struct err *err);
/* FATAL and the end. Nothing but the end of the callback may follow. */
void session_fatal(struct session *session, const struct err *err);
/* Ends it without a word. */
void session_end(struct session *session);
/* ReadyForQuery into the outbox: an exchange has ended. */
void session_ready(struct session *session);
/* The request is over: whatever else was sent is worked off. */
void session_go_on(struct session *session);
void session_touch_settings(struct session *session);
/* Reads from the client, or does not, as there is room for what comes. */
void session_flow(struct session *session);
/* A CancelRequest came for it. */
void session_cancel(struct session *session);
/* What the meaning of a text depends on when it is parsed. */
uint64_t session_parsing(const struct session *session);
bool session_holds_server(const struct session *session);
/* The server has the beginning of a message whose rest the client has not sent yet: whatever else
 * it is sent now it takes for that rest. */
bool session_is_passing(const struct session *session);

/* input.c */
/* Works off what can be worked off now; returns the bytes used. */
size_t input_work(struct session *session, struct slice in);
bool input_is_known(uint8_t type); /* a message that a client may send */
/* FATAL: no such message; too large a one. */
void input_refuse_type(struct session *session, uint8_t type);
void input_refuse_size(struct session *session, size_t total);

/* console.c: the same for the virtual database. */
size_t console_take(struct session *session, struct slice left);

/* begin.c: a BEGIN takes no server before the first statement, which decides where it lives. */
/* True where the request was answered: a lone BEGIN, or the end of a transaction that no server has
 * been told of. A statement in one that has failed is refused: request.err. */
bool begin_answers(struct session *session, struct request *request);
/* A statement that a failed transaction still takes. */
bool begin_is_end(struct slice text);
/* It ends such a failed transaction, in which nothing else is prepared. */
bool begin_may_prepare(const struct session *session, struct slice text);
/* The first statement has gone to a replica, or to the primary, where the transaction stays. */
void begin_opens(struct session *session, const struct request *request, bool replica);
/* What a standby cannot do as it is meant, in a transaction that lives on one: request.err, which
 * asks for the transaction again, and the next one that begins like it is the primary's. */
bool begin_refuses(struct session *session, struct request *request);
/* The transaction is over, or is not ours to begin. */
void begin_forget(struct session *session);

/* ahead.c: what a client sends before it has its answers goes on to the server that it has, where
 * nothing in front of it could change what it means or where it belongs. */
/* Another request may be looked for behind the one in work. */
bool ahead_may(const struct session *session);
/* Sends it. False: it is for later, and the caller's. */
bool ahead_send(struct session *session, struct request *request);
/* The next in line is in work now; NULL: none. */
struct request *ahead_next(struct session *session);
/* The number of the first change of names that is not of the request in work. */
unsigned ahead_changes(const struct session *session);
/* hearing.c: what a session hears of notifications, without a server of its own; see channels.h. */
/* A lone LISTEN or UNLISTEN; ON: it is the server's. */
enum outcome hearing_answers(struct session *session, struct request *request);
/* True where the request prepares and describes nothing else, and was answered: some drivers do so
 * before every LISTEN, with a Flush, and would have the server for what follows. */
bool hearing_prepares(struct session *session, const struct request *request);
/* What it waited for in channels.h is there, or is not to be had. */
void hearing_done(struct session *session);
void hearing_failed(struct session *session, const char *why);
/* The request was judged. */
void hearing_note(struct session *session, const struct request *request);
/* A server has said so. */
void hearing_note_tag(struct session *session, struct slice tag);
/* The transaction is over. */
void hearing_end(struct session *session);
/* True: what it has sent to itself is waited for before ReadyForQuery; steps_settled follows. */
bool hearing_waits(struct session *session);
/* Notifications from its own server. */
void hearing_pass(struct session *session, struct slice run);
/* pg_listening_channels() is to tell what a server does not know: appends LISTENs. */
bool hearing_shows(struct session *session, const struct request *request, struct buf *sql);
/* .. and what ends them goes behind, or comes at the end of the transaction. */
bool hearing_hides(struct session *session, const struct request *request);
void hearing_hide(struct session *session);

/* hints.c: what a client says of its own statements (rules/hint.h). */
/* Settings have changed. */
void hints_refresh(struct session *session);
/* True with *err: the text is a SET of one of ours that no hint has, or of a value that it cannot
 * have. A good one counts at once, where a transaction is open until that has ended. */
bool hints_refuse(struct session *session, const struct shape *shape, const struct values *values,
                  struct err *err);
/* The transaction is over. */
void hints_end(struct session *session);
void hints_clear(struct session *session);
/* NULL: nothing is said. Valid as long as `room`, the values and the session's settings are. */
const struct hints *hints_of(const struct session *session, const struct values *values,
                             struct hints *room);

/* step_admit.c: how long an operation's requests may take. */
/* The request was judged: its time runs. */
void admit_judged(struct session *session, struct request *request);
/* Its operation has a limit or a timeout. */
bool admit_minds(const struct request *request);
/* It has run out of its time: what its client hears in place of the cancelled server's words. */
bool admit_words_late(const struct request *request, struct err *err);
/* It is over; the session is. */
void admit_over(struct session *session);
void admit_clear(struct session *session);

/* record.c */
void record_request(struct session *session, struct request *request);

/* outbox.c: what is put must stay valid until the flush. */
void outbox_put(struct session *session, struct slice bytes);
void outbox_flush(struct session *session);
struct slice outbox_ready(uint8_t status);

/* step_route.c */
/* The server goes back, unless something of the client's is still on it. */
void session_part(struct session *session);

/* steps.c */
/* Starts the way of session.request. */
void steps_begin(struct session *session);
/* The ticket of the present step came back: on to the next. */
void steps_on(struct session *session);
/* The request was answered. */
void steps_answered(struct session *session);
/* It cannot be answered: request.err says why. */
void steps_failed(struct session *session);
/* What it has waited for after its last step has come. */
void steps_settled(struct session *session);
/* Leaves the steps from the present one down to `step`, and enters that again. */
void steps_again(struct session *session, enum step_name step);
/* The client is gone: everything is given back, nothing is said. */
void steps_abandon(struct session *session);

enum outcome enter_inspect(struct session *session);
enum outcome enter_judge(struct session *session);
/* The verdict once more, with what was found out of its user. False where it is denied: request.err
 * says why. */
bool judge_again(struct session *session);
enum outcome enter_tier(struct session *session);
void leave_tier(struct session *session, bool ok);
enum outcome enter_need(struct session *session);
void leave_need(struct session *session, bool ok);
enum outcome enter_answer(struct session *session);
void leave_answer(struct session *session, bool ok);
enum outcome enter_admit(struct session *session);
void leave_admit(struct session *session, bool ok);
enum outcome enter_route(struct session *session);
enum outcome enter_take(struct session *session);
void leave_take(struct session *session, bool ok);
enum outcome enter_relay(struct session *session);

/* step_answer.c */
/* Answers a request of one command without a server. */
void answer_command(struct session *session, const struct request *request, const char *tag);
/* .. and one that only prepares and closes. */
void answer_alone(struct session *session, const struct request *request);
/* The server has accepted every Parse of the request. */
void answer_prove(struct session *session, const struct request *request);

/* step_route.c */
struct pool *session_pool(struct session *session, struct node *node);

/* step_need.c */
/* The server has prepared its transaction. */
void need_prepared(struct session *session);

/* relay.c */
/* Messages of a COPY, or the rest of a large message, on their way to the server. */
void relay_pass(struct session *session, struct slice bytes);
extern const struct server_events reply_events;
/* Fails the transaction on its server, for an error of ours that the client hears. */
void relay_abort(struct session *session);

/* explaining.c */
/* ANSWERED: it was EXPLAIN ROUTE; FAILED: .. and is refused, in err; ON: anything else, or the
 * statement that is to be run for it, whose answer is not its client's (request.explains). */
enum outcome explaining_begin(struct session *session, struct request *request);
/* What was run has ended well: the client is told. */
void explaining_end(struct session *session, struct request *request);

/* front.c */
/* What a server owes for settings that we put in front. */
extern const char owed_settings[];
/* .. for the columns of a statement that it has prepared just now. */
extern const char owed_columns[];

/* occupied.c */
/* The request may be refused because servers rest where it works: its answer is held. */
bool occupied_concerns(const struct session *session, const struct request *request);
/* It was (55006). True where such servers were closed: it is worth asking again, once. */
bool occupied_make_room(struct session *session, struct request *request);

/* harvest.c: what a write's RETURNING tells of the rows that it has written. */
/* NULL where it cannot tell what the text does not; else it counts as a write begun with that. */
const struct footprint_telling *harvest_begin(struct request *request, const struct plan *plan);
/* The rest where request.harvests: what comes of its answer, and that it is over. */
void harvest_columns(struct request *request, struct slice body);
void harvest_rows(struct request *request, struct slice run);
void harvest_complete(struct request *request, struct slice tag);
void harvest_end(struct session *session, struct request *request);
void harvest_free(struct request *request);

/* transaction.c */
/* These cells are about to be written. */
void transaction_begin(struct session *session, const struct plan *plan,
                       const struct pinned *pinned, const struct footprint_telling *telling);
/* What rows have told of a write that was begun with `telling`; in the end `harvested`, without
 * which all that it has left open counts as written. */
void transaction_told(struct session *session, const struct footprint_telling *telling,
                      unsigned dim, struct slice value);
void transaction_untold(struct session *session, const struct footprint_telling *telling,
                        unsigned dim);
void transaction_harvested(struct session *session);
void transaction_begin_everything(struct session *session);
void transaction_ddl(struct session *session);
/* Whether all who share the ledger know of what it is about to write; false: the request's steps go
 * on once they do, or fail; or replication_heard. */
bool transaction_is_heard(struct session *session);
/* .. it does not wait for that any more. */
void transaction_stop_waiting(struct session *session);
/* PREPARE TRANSACTION is about to be sent, or COMMIT or ROLLBACK PREPARED of a transaction of that
 * name. True: what that has written was noted, and is begun where it is to be committed. */
void transaction_prepares(struct session *session);
bool transaction_ends_noted(struct session *session, const char *gid, bool commits);
/* The server has prepared it. */
void transaction_prepared(struct session *session, const char *gid);
/* The server said COMMIT: what was written up to here stays, whatever comes of the rest. */
void transaction_note_commit(struct session *session);
bool transaction_committed(const struct session *session);
/* It has ended; `rolled_back`: surely. */
void transaction_end(struct session *session, bool rolled_back);
/* Its server is gone: nobody knows how it ended. */
void transaction_lost(struct session *session, uint32_t pid);

/* login.c */
struct client_login *client_login_new(struct session *session);
void client_login_free(struct client_login *login);
/* Works off what came; returns how many bytes were used. The session may have ended afterwards. */
size_t client_login_take(struct client_login *login, struct slice bytes);
/* The time it may take is counted anew. */
void client_login_watch(struct client_login *login);
/* It is in: AuthenticationOk, these ParameterStatus messages, a key, ReadyForQuery. */
void client_login_end(struct session *session, const struct buf *statuses);

/* startup.c: what the options of a startup packet say, in session.vars and session.startup. */
void startup_names(struct session *session, struct slice options, char **database,
                   struct slice *replication);
/* False with *err, in the server's words. */
bool startup_settings(struct session *session, struct slice options, struct err *err);
/* Appends the names of protocol options, none of which is known, and returns how many. */
uint32_t startup_unknown(struct slice options, struct buf *names);

/* welcome.c */
/* Verifies the settings the client came with; client_login_end follows, or the session ends. */
void welcome_begin(struct session *session);
void welcome_free(struct session *session);

/* replication.c */
enum replication_kind {
    REPLICATION_NONE,
    REPLICATION_PHYSICAL,
    REPLICATION_LOGICAL,
    REPLICATION_UNKNOWN /* the option's value is none that it may have */
};
enum replication_kind replication_kind(struct slice value);
/* Takes a server of its own; client_login_end follows, or the session ends. */
void replication_begin(struct session *session, struct slice kind, bool sql);
size_t replication_pass(struct session *session, struct slice bytes);
/* What transaction_is_heard has waited for: what was held is sent. */
void replication_heard(struct session *session);
/* The client waits for the rest of a message: nothing else can be told to it. */
bool replication_is_midway(const struct session *session);
void replication_end(struct session *session);

/* keys.c */
/* In session pooling the number is that of the server's process. */
void key_choose(struct session *session);
void key_forget(struct session *session);
/* CancelRequest. */
void cancel_by_key(struct rooms *rooms, uint32_t pid, struct slice secret);
