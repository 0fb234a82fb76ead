/* The table was compared with pg_proc of PostgreSQL 15; tests/unit/test_functions.c holds the
 * volatile ones of that version. Every list is in the order of strcmp. */
#include "sql/functions.h"

#include <stdlib.h>
#include <string.h>

/* clang-format off */

/* Depend on settings at most (TimeZone, DateStyle, ..), which a cache key holds. */
static const char *const stable[] = {
    "any_value", "array_agg", "array_to_json", "array_to_string", "bit_length", "char_length",
    "character_length", "concat", "concat_ws", "convert", "convert_from", "convert_to", "date_add",
    "date_part", "date_subtract", "date_trunc", "enum_first", "enum_last", "enum_range", "extract",
    "format", "generate_series", "json_agg", "json_agg_strict", "json_build_array",
    "json_build_object", "json_object_agg", "json_object_agg_strict", "json_object_agg_unique",
    "json_object_agg_unique_strict", "json_to_record", "json_to_recordset", "json_to_tsvector",
    "jsonb_agg", "jsonb_agg_strict", "jsonb_build_array", "jsonb_build_object", "jsonb_object_agg",
    "jsonb_object_agg_strict", "jsonb_object_agg_unique", "jsonb_object_agg_unique_strict",
    "jsonb_path_exists_tz", "jsonb_path_match_tz", "jsonb_path_query_array_tz",
    "jsonb_path_query_first_tz", "jsonb_path_query_tz", "jsonb_to_record", "jsonb_to_recordset",
    "jsonb_to_tsvector", "length", "make_timestamptz", "money", "numeric", "overlaps",
    "phraseto_tsquery", "plainto_tsquery", "quote_literal", "quote_nullable", "row_to_json",
    "string_agg", "to_char", "to_date", "to_json", "to_jsonb", "to_number", "to_timestamp",
    "to_tsquery", "to_tsvector", "ts_headline", "websearch_to_tsquery", "xml_is_well_formed",
};

/* Depend on the time, the session, the server, the catalog or chance. So may what reads dates and times from
 * text that is not seen ('now'), or puts a zone to a time without a day (today's summer time). */
static const char *const moving[] = {
    "aclexplode", "age", "array_sample", "array_shuffle", "clock_timestamp", "col_description",
    "current_database", "current_query", "current_schema", "current_schemas", "current_user",
    "date", "format_type", "gen_random_uuid", "get_current_ts_config", "getdatabaseencoding",
    "getpgusername", "has_any_column_privilege", "has_column_privilege",
    "has_database_privilege", "has_foreign_data_wrapper_privilege", "has_function_privilege",
    "has_language_privilege", "has_parameter_privilege", "has_schema_privilege",
    "has_sequence_privilege", "has_server_privilege", "has_table_privilege",
    "has_tablespace_privilege", "has_type_privilege", "inet_client_addr", "inet_client_port",
    "json_populate_record", "json_populate_recordset", "jsonb_populate_record",
    "jsonb_populate_recordset", "mxid_age", "now", "obj_description", "oidvectortypes",
    "pg_basetype", "pg_char_to_encoding", "pg_client_encoding", "pg_collation_is_visible",
    "pg_column_compression", "pg_column_is_updatable", "pg_column_size",
    "pg_column_toast_chunk_id", "pg_conversion_is_visible", "pg_describe_object",
    "pg_encoding_to_char", "pg_filenode_relation", "pg_function_is_visible",
    "pg_get_catalog_foreign_keys", "pg_get_constraintdef", "pg_get_expr",
    "pg_get_function_arg_default", "pg_get_function_arguments",
    "pg_get_function_identity_arguments", "pg_get_function_result", "pg_get_function_sqlbody",
    "pg_get_functiondef", "pg_get_indexdef", "pg_get_keywords", "pg_get_object_address",
    "pg_get_partition_constraintdef", "pg_get_partkeydef", "pg_get_publication_tables",
    "pg_get_ruledef", "pg_get_serial_sequence", "pg_get_statisticsobjdef",
    "pg_get_statisticsobjdef_columns", "pg_get_statisticsobjdef_expressions",
    "pg_get_triggerdef", "pg_get_userbyid", "pg_get_viewdef", "pg_has_role",
    "pg_identify_object", "pg_identify_object_as_address", "pg_index_column_has_property",
    "pg_index_has_property", "pg_indexam_has_property", "pg_opclass_is_visible",
    "pg_operator_is_visible", "pg_opfamily_is_visible", "pg_options_to_table",
    "pg_relation_filenode", "pg_relation_filepath", "pg_relation_is_publishable",
    "pg_relation_is_updatable", "pg_sequence_parameters", "pg_settings_get_flags",
    "pg_statistics_obj_is_visible", "pg_table_is_visible", "pg_tablespace_databases",
    "pg_tablespace_location", "pg_timezone_abbrevs", "pg_timezone_names", "pg_trigger_depth",
    "pg_ts_config_is_visible", "pg_ts_dict_is_visible", "pg_ts_parser_is_visible",
    "pg_ts_template_is_visible", "pg_type_is_visible", "pg_typeof", "random", "random_normal",
    "row_security_active", "session_user", "shobj_description", "statement_timestamp", "time",
    "timeofday", "timestamp", "timestamptz", "timetz", "timezone", "to_regclass",
    "to_regcollation", "to_regnamespace", "to_regoper", "to_regoperator", "to_regproc",
    "to_regprocedure", "to_regrole", "to_regtype", "transaction_timestamp", "uuidv4", "uuidv7",
    "version",
};

/* Tell of the server that they run on, or keep it busy. A reader on a standby has the right to each;
 * who asks outside of a transaction means the primary, where the others look. */
static const char *const locals[] = {
    "inet_server_addr", "inet_server_port", "pg_backend_pid", "pg_conf_load_time",
    "pg_current_snapshot", "pg_cursor", "pg_is_other_temp_schema", "pg_listening_channels",
    "pg_my_temp_schema", "pg_postmaster_start_time", "pg_prepared_statement",
    "pg_show_all_settings", "pg_sleep", "pg_sleep_for", "pg_sleep_until",
    "pg_stat_get_activity", "txid_current_snapshot",
};

/* Tell of, or act on, what only the primary has: on a standby they are something else. */
static const char *const volatiles[] = {
    "bernoulli", "current_setting", "currval", "lastval", "lo_close", "lo_get", "lo_lseek",
    "lo_lseek64", "lo_open", "lo_tell", "lo_tell64", "loread", "nextval", "pg_advisory_lock",
    "pg_advisory_lock_shared", "pg_advisory_unlock", "pg_advisory_unlock_all",
    "pg_advisory_unlock_shared", "pg_advisory_xact_lock", "pg_advisory_xact_lock_shared",
    "pg_backup_start", "pg_backup_start_time", "pg_backup_stop", "pg_blocking_pids",
    "pg_cancel_backend", "pg_collation_actual_version", "pg_control_checkpoint", "pg_control_init",
    "pg_control_recovery", "pg_control_system", "pg_create_restore_point", "pg_current_logfile",
    "pg_current_wal_flush_lsn", "pg_current_wal_insert_lsn", "pg_current_wal_lsn",
    "pg_current_xact_id", "pg_current_xact_id_if_assigned", "pg_database_collation_actual_version",
    "pg_database_size", "pg_export_snapshot", "pg_get_backend_memory_contexts",
    "pg_get_multixact_members", "pg_get_shmem_allocations", "pg_get_wal_replay_pause_state",
    "pg_get_wal_resource_managers", "pg_hba_file_rules", "pg_ident_file_mappings",
    "pg_indexes_size", "pg_is_in_backup", "pg_is_in_recovery", "pg_is_wal_replay_paused",
    "pg_isolation_test_session_is_blocked", "pg_jit_available", "pg_last_committed_xact",
    "pg_last_wal_receive_lsn", "pg_last_wal_replay_lsn", "pg_last_xact_replay_timestamp",
    "pg_lock_status", "pg_log_backend_memory_contexts", "pg_log_standby_snapshot",
    "pg_ls_archive_statusdir", "pg_ls_dir", "pg_ls_logdir", "pg_ls_logicalmapdir",
    "pg_ls_logicalsnapdir", "pg_ls_replslotdir", "pg_ls_tmpdir", "pg_ls_waldir",
    "pg_notification_queue_usage", "pg_notify", "pg_partition_ancestors", "pg_partition_tree",
    "pg_prepared_xact", "pg_read_binary_file", "pg_read_file", "pg_relation_size", "pg_reload_conf",
    "pg_replication_origin_session_is_setup", "pg_replication_origin_session_progress",
    "pg_rotate_logfile", "pg_safe_snapshot_blocking_pids", "pg_sequence_last_value",
    "pg_show_all_file_settings", "pg_show_replication_origin_status", "pg_start_backup",
    "pg_stat_clear_snapshot", "pg_stat_file", "pg_stat_force_next_flush",
    "pg_stat_get_recovery_prefetch", "pg_stat_get_xact_blocks_fetched",
    "pg_stat_get_xact_blocks_hit", "pg_stat_get_xact_function_calls",
    "pg_stat_get_xact_function_self_time", "pg_stat_get_xact_function_total_time",
    "pg_stat_get_xact_numscans", "pg_stat_get_xact_tuples_deleted",
    "pg_stat_get_xact_tuples_fetched", "pg_stat_get_xact_tuples_hot_updated",
    "pg_stat_get_xact_tuples_inserted", "pg_stat_get_xact_tuples_returned",
    "pg_stat_get_xact_tuples_updated", "pg_stat_have_stats", "pg_stat_reset",
    "pg_stat_reset_replication_slot", "pg_stat_reset_shared",
    "pg_stat_reset_single_function_counters", "pg_stat_reset_single_table_counters",
    "pg_stat_reset_slru", "pg_stat_reset_subscription_stats", "pg_stop_backup", "pg_switch_wal",
    "pg_table_size", "pg_tablespace_size", "pg_terminate_backend", "pg_total_relation_size",
    "pg_try_advisory_lock", "pg_try_advisory_lock_shared", "pg_try_advisory_xact_lock",
    "pg_try_advisory_xact_lock_shared", "pg_xact_commit_timestamp",
    "pg_xact_commit_timestamp_origin", "pg_xact_status", "set_config", "setseed", "setval",
    "system", "txid_current", "txid_current_if_assigned", "txid_status",
};

/* Change rows, replication or the server, or run SQL that is given to them or to be found behind a
 * table's name. */
static const char *const writers[] = {
    "brin_desummarize_range", "brin_summarize_new_values", "brin_summarize_range", "currtid2",
    "cursor_to_xml", "cursor_to_xmlschema", "database_to_xml", "database_to_xml_and_xmlschema",
    "database_to_xmlschema", "gin_clean_pending_list", "lo_creat", "lo_create", "lo_export",
    "lo_from_bytea", "lo_import", "lo_put", "lo_truncate", "lo_truncate64", "lo_unlink",
    "lowrite", "pg_copy_logical_replication_slot", "pg_copy_physical_replication_slot",
    "pg_create_logical_replication_slot", "pg_create_physical_replication_slot",
    "pg_drop_replication_slot", "pg_extension_config_dump", "pg_import_system_collations",
    "pg_logical_emit_message", "pg_logical_slot_get_binary_changes",
    "pg_logical_slot_get_changes", "pg_logical_slot_peek_binary_changes",
    "pg_logical_slot_peek_changes", "pg_nextoid", "pg_promote", "pg_replication_origin_advance",
    "pg_replication_origin_create", "pg_replication_origin_drop", "pg_replication_slot_advance",
    "pg_wal_replay_pause", "pg_wal_replay_resume", "query_to_xml", "query_to_xml_and_xmlschema",
    "query_to_xmlschema", "schema_to_xml", "schema_to_xml_and_xmlschema", "schema_to_xmlschema",
    "table_to_xml", "table_to_xml_and_xmlschema", "table_to_xmlschema", "ts_rewrite", "ts_stat",
};

/* PostgreSQL's own aggregates. */
static const char *const aggregates[] = {
    "any_value", "array_agg", "avg", "bit_and", "bit_or", "bit_xor", "bool_and", "bool_or",
    "corr", "count", "covar_pop", "covar_samp", "every", "json_agg", "json_agg_strict",
    "json_object_agg", "json_object_agg_strict", "json_object_agg_unique",
    "json_object_agg_unique_strict", "jsonb_agg", "jsonb_agg_strict", "jsonb_object_agg",
    "jsonb_object_agg_strict", "jsonb_object_agg_unique", "jsonb_object_agg_unique_strict",
    "max", "min", "mode", "percentile_cont", "percentile_disc", "range_agg",
    "range_intersect_agg", "regr_avgx", "regr_avgy", "regr_count", "regr_intercept", "regr_r2",
    "regr_slope", "regr_sxx", "regr_sxy", "regr_syy", "stddev", "stddev_pop", "stddev_samp",
    "string_agg", "sum", "var_pop", "var_samp", "variance", "xmlagg",
};

/* clang-format on */

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static int compare(const void *name, const void *member)
{
    return strcmp(name, *(const char *const *)member);
}

static bool is_in(const char *name, const char *const *names, size_t count)
{
    return bsearch(name, names, count, sizeof(*names), compare) != NULL;
}

enum function_trait function_trait(const char *name)
{
    if (is_in(name, stable, COUNT(stable)))
        return FUNCTION_STABLE;
    if (is_in(name, moving, COUNT(moving)))
        return FUNCTION_MOVING;
    if (is_in(name, locals, COUNT(locals)))
        return FUNCTION_LOCAL;
    if (is_in(name, volatiles, COUNT(volatiles)))
        return FUNCTION_BOUND;
    if (is_in(name, writers, COUNT(writers)))
        return FUNCTION_WRITES;
    return FUNCTION_UNLISTED;
}

bool function_aggregates(const char *name)
{
    return is_in(name, aggregates, COUNT(aggregates));
}
