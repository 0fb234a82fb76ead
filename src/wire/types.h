/* Names of the protocol's numbers (PostgreSQL, "Frontend/Backend Protocol", Message Formats). */
#pragma once

enum {
    WIRE_PROTOCOL_3_0 = 3 << 16,
    WIRE_PROTOCOL_3_2 = 3 << 16 | 2, /* the keys of cancel requests are longer */
    WIRE_SECRET_MAX = 256,
    WIRE_CANCEL = 80877102,
    WIRE_SSL = 80877103,
    WIRE_GSSENC = 80877104,
    WIRE_STARTUP_MAX = 10000, /* bytes of a startup packet, as the server bounds it */
};

/* What a client sends. */
enum {
    MSG_BIND = 'B',
    MSG_CLOSE = 'C',
    MSG_COPY_DATA = 'd',
    MSG_COPY_DONE = 'c',
    MSG_COPY_FAIL = 'f',
    MSG_DESCRIBE = 'D',
    MSG_EXECUTE = 'E',
    MSG_FLUSH = 'H',
    MSG_FUNCTION = 'F',
    MSG_PARSE = 'P',
    MSG_PASSWORD = 'p', /* also SASL responses */
    MSG_QUERY = 'Q',
    MSG_SYNC = 'S',
    MSG_TERMINATE = 'X',
};

/* What a server sends. */
enum {
    REPLY_AUTH = 'R',
    REPLY_KEY = 'K',
    REPLY_BIND = '2',
    REPLY_CLOSE = '3',
    REPLY_COMPLETE = 'C',
    REPLY_COPY_BOTH = 'W',
    REPLY_COPY_DATA = 'd',
    REPLY_COPY_DONE = 'c',
    REPLY_COPY_IN = 'G',
    REPLY_COPY_OUT = 'H',
    REPLY_EMPTY = 'I',
    REPLY_ERROR = 'E',
    REPLY_FUNCTION = 'V',
    REPLY_NEGOTIATE = 'v',
    REPLY_NO_ROWS = 'n', /* NoData */
    REPLY_NOTICE = 'N',
    REPLY_NOTIFICATION = 'A',
    REPLY_PARAMETER = 'S',  /* ParameterStatus */
    REPLY_PARAMETERS = 't', /* ParameterDescription */
    REPLY_PARSE = '1',
    REPLY_READY = 'Z',
    REPLY_ROW = 'D',
    REPLY_ROWS = 'T', /* RowDescription */
    REPLY_SUSPENDED = 's',
};
