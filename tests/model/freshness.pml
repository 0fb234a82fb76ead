/* The promise of causal reads, for one register behind two proxies that share their ledger by a log: a read returns nothing older than what was
 * acknowledged, or than what anybody had finished reading, before it began. The code of it is src/fresh and src/session; what is one step of an
 * event loop is one atomic here. A write's value is its place in the WAL as well. See run.py for the variants, which are macros:
 *
 *     WRITES, READS   how many writes there are in all, and reads at each proxy
 *     LOST            a write's server may be lost: whether it has committed, or will, is not known
 *     TROUBLE         a proxy may stand still, or be cut off from the log, for longer than its lease
 *     FEED            one more writer goes past the proxies, and a feed tells of it
 *     BREAK_x         a rule is switched off
 */

#ifndef WRITES
#define WRITES 2
#endif
#ifndef READS
#define READS 2
#endif
#define PROXIES 2
#define MAX(a, b) ((a) > (b) -> (a) : (b))

mtype = {BEGIN, COMMIT, ABORT, RENEW};

/* The servers. */
byte wal, visible, replica;
bool locked; /* the row, from its change until that is visible */

/* The log, and who has applied how much of it. */
byte seq;
chan inbox[PROXIES] = [12] of {mtype, byte /* seq */, byte /* lsn */, byte /* marks that end with it */};
byte applied[PROXIES];

/* Each proxy's ledger: its one cell. */
byte pending[PROXIES], touched[PROXIES], lsn[PROXIES];

/* The store that they share: one entry. */
bool kept;
byte kept_value, kept_stamp;

/* Leases: a lapsed member relies on nothing, and nobody relies on anything while there is one. */
bool lapsed[PROXIES], frozen[PROXIES], cut[PROXIES];

/* Of the one that is cut off: marks whose end was not told; a write that was not; that is told since. */
byte orphans;
bool secret, adopted;

/* What must not be undercut, and values that nobody has promised anything about yet. */
byte floor, unpromised;

inline tell_all(what, position, marks)
{
    seq++;
    inbox[0] ! what, seq, position, marks;
    inbox[1] ! what, seq, position, marks;
}

inline tell(what, position)
{
    tell_all(what, position, 0)
}

/* The end of a write, which one that is cut off cannot tell: it is a part of what ends when it is back. */
inline tell_end(what, position)
{
    if
    :: (told || adopted) && !cut[p] -> tell(what, position)
    :: told && cut[p] -> orphans++
    :: else
    fi;
    secret = false;
    adopted = false
}

#ifdef BREAK_TRUST
#define trusted (true)
#else
#define trusted (!lapsed[0] && !lapsed[1])
#endif

#ifdef BREAK_WAIT
#define all_heard(s) (true)
#else
#define all_heard(s) ((applied[0] >= (s) || lapsed[0]) && (applied[1] >= (s) || lapsed[1]))
#endif

#ifdef BREAK_PENDING
#define unchanged(p, stamp) (touched[p] <= (stamp))
#else
#define unchanged(p, stamp) (pending[p] == 0 && touched[p] <= (stamp))
#endif

/* What one proxy hears, in the log's order. */
proctype hear(byte p)
{
    mtype what;
    byte s, position, marks;

end:
    do
    :: atomic {
           !frozen[p] && !cut[p] && nempty(inbox[p]) ->
           inbox[p] ? what, s, position, marks;
           applied[p] = s;
           if
           :: what == BEGIN -> pending[p]++
           :: what == ABORT -> pending[p]--
           :: what == COMMIT ->
               pending[p]--;
#ifndef BREAK_TOUCH
               touched[p] = s;
#endif
               lsn[p] = MAX(lsn[p], position)
           :: what == RENEW -> touched[p] = s; lsn[p] = MAX(lsn[p], position); pending[p] = pending[p] - marks
           fi
       }
    od
}

inline change()
{
    atomic { !locked -> locked = true; v = wal + 1; wal = v }
    atomic { visible = v; locked = false }
}

proctype writer()
{
    byte p, v, s, count;
    bool told;

    do
    :: count < WRITES ->
        count++;
        if
        :: p = 0
        :: p = 1
        fi;
        /* Told, and heard by all; one that is cut off waits for its own lease to have run out. */
        atomic {
            !frozen[p] ->
            told = !cut[p];
            if
            :: told -> tell(BEGIN, 0); s = seq
            :: else
            fi
        }
        if
        :: told
        :: atomic { !told && lapsed[p] && cut[p] -> secret = true }
        :: atomic { !told && !cut[p] && !frozen[p] -> told = true; tell(BEGIN, 0); s = seq }
        fi;
        if
        :: told -> all_heard(s) && !frozen[p]
        :: else
        fi;
        v = 0;
        if
        :: /* rolled back */
            atomic { tell_end(ABORT, 0) }
        :: change();
            /* The LSN is asked for, while the client may have its answer already. */
            if
            :: atomic { floor = MAX(floor, v) };
               atomic { tell_end(COMMIT, v) }
            :: atomic { tell_end(COMMIT, v) };
               atomic { floor = MAX(floor, v) }
            fi
#ifdef LOST
        :: told -> /* the connection is lost: what was sent is done before the backend is gone, or never */
#ifdef BREAK_LOST
            atomic { tell(ABORT, 0) };
#endif
            if
            :: change()
            :: skip
            fi;
#ifndef BREAK_LOST
            atomic { tell(COMMIT, visible) }
#endif
#endif
        fi
    :: else -> break
    od
}

proctype reader(byte p)
{
    byte least, stamp, need, value, count;
    bool waits, serves;

    do
    :: count < READS ->
        count++;
        atomic { least = floor };
        atomic {
            !frozen[p] ->
            stamp = applied[p];
            need = lsn[p];
            serves = trusted;
            waits = pending[p] > 0
        }
        if
        :: atomic { serves && kept && unchanged(p, kept_stamp) -> value = kept_value; goto done }
        :: skip
        fi;
        /* By a replica that has what is needed; its answer is looked at when it is there. */
        if
#ifdef BREAK_LSN
        :: atomic { serves && !waits -> value = replica };
#else
        :: atomic { serves && !waits && replica >= need -> value = replica };
#endif
#ifndef BREAK_LOOK
            if
            :: atomic { !frozen[p] && trusted && unchanged(p, stamp) -> skip }
            :: atomic { !frozen[p] && !(trusted && unchanged(p, stamp)) -> value = visible }
            fi
#else
            skip
#endif
        :: value = visible
        fi;
#ifdef BREAK_STAMP
        stamp = applied[p];
#endif
        /* Kept, whatever has happened meanwhile. */
        if
        :: atomic { serves && !frozen[p] -> kept = true; kept_value = value; kept_stamp = stamp }
        :: skip
        fi;
done:
        atomic {
            assert(value >= least);
            if
            :: value != unpromised -> floor = MAX(floor, value)
            :: else
            fi
        }
    :: else -> break
    od
}

/* It shows a commit as soon as it is in the WAL, or much later. */
proctype standby()
{
end:
    do
    :: atomic { replica < wal -> replica++ }
    od
}

#ifdef TROUBLE
/* Longer than its lease: the others go on without it, and it relies on nothing until it has heard all. */
proctype trouble(byte p)
{
    if
    :: frozen[p] = true; lapsed[p] = true; frozen[p] = false
    :: cut[p] = true; lapsed[p] = true; cut[p] = false
    fi;
    /* What it wrote meanwhile nobody has heard of: when it is back everybody starts anew. */
    atomic {
        tell_all(RENEW, wal, orphans);
        orphans = 0;
        if
        :: secret -> tell(BEGIN, 0); adopted = true
        :: else
        fi
    }
    atomic { applied[0] == seq && applied[1] == seq -> lapsed[p] = false }
}
#endif

#ifdef FEED
/* What goes past the proxies is streamed when it is in the WAL, which may be before it is visible. */
proctype bypass()
{
    byte v, s;

    atomic { !locked -> locked = true; v = wal + 1; wal = v; unpromised = v };
    atomic { tell(BEGIN, 0) };
#ifdef BREAK_FEED
    atomic { tell(COMMIT, v); s = seq };
    atomic { visible = v; locked = false };
#else
    atomic { visible = v; locked = false };
    atomic { tell(COMMIT, v); s = seq };
#endif
    atomic { applied[0] >= s && applied[1] >= s && visible >= v -> floor = MAX(floor, v); unpromised = 0 }
}
#endif

init {
    atomic {
        run hear(0);
        run hear(1);
        run standby();
        run writer();
        run reader(0);
        run reader(1);
#ifdef TROUBLE
        run trouble(1);
#endif
#ifdef FEED
        run bypass()
#endif
    }
}
