/* Log lines, read back from where stderr goes. */
#include "base/log.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static char seen[8192];
static size_t seen_len;

static void log_wide(enum log_level level, size_t who_len, size_t text_len, char fill)
{
    char who[4000], text[4000];

    memset(who, 'w', who_len);
    who[who_len] = '\0';
    memset(text, fill, text_len);
    text[text_len] = '\0';
    log_line(level, who, "%s", text);
}

/* What log_wide wrote to stderr is in `seen` afterwards. */
static void catch_wide(enum log_level level, size_t who_len, size_t text_len, char fill)
{
    FILE *file = tmpfile();
    int kept = dup(STDERR_FILENO);

    assert_non_null(file);
    dup2(fileno(file), STDERR_FILENO);
    log_wide(level, who_len, text_len, fill);
    dup2(kept, STDERR_FILENO);
    close(kept);
    rewind(file);
    seen_len = fread(seen, 1, sizeof(seen) - 1, file);
    seen[seen_len] = '\0';
    fclose(file);
}

static void a_line_says_when_how_bad_who_and_what(void **state)
{
    int year, month, day, hour, minute, end = 0;
    float second;

    (void)state;
    catch_wide(LOG_WARNING, 3, 4, 'x');
    assert_int_equal(sscanf(seen, "%d-%d-%dT%d:%d:%fZ WARNING www: xxxx%n", &year, &month, &day,
                            &hour, &minute, &second, &end),
                     6);
    assert_int_equal(end + 1, seen_len);
    assert_string_equal(seen + end, "\n");
}

static void a_long_line_is_cut_and_still_ends(void **state)
{
    (void)state;
    for (size_t len = 1990; len < 2060; len++) {
        catch_wide(LOG_INFO, 3, len, 'x');
        assert_true(seen_len <= 2048);
        assert_ptr_equal(strchr(seen, '\n'), seen + seen_len - 1);
        catch_wide(LOG_INFO, len, 10, 'x');
        assert_true(seen_len <= 2048);
        assert_ptr_equal(strchr(seen, '\n'), seen + seen_len - 1);
    }
    catch_wide(LOG_INFO, 3, 3900, 'x');
    assert_true(seen_len > 2040 && seen_len <= 2048);
}

static void a_foreign_line_break_breaks_no_line(void **state)
{
    (void)state;
    catch_wide(LOG_INFO, 3, 5, '\n');
    assert_ptr_equal(strchr(seen, '\n'), seen + seen_len - 1);
    assert_non_null(strstr(seen, "www:      \n"));
}

static void the_level_decides(void **state)
{
    (void)state;
    assert_int_equal(log_level(), LOG_INFO);
    catch_wide(LOG_DEBUG, 3, 5, 'x');
    assert_int_equal(seen_len, 0);
    log_set_level(LOG_DEBUG);
    catch_wide(LOG_DEBUG, 3, 5, 'x');
    assert_non_null(strstr(seen, " DEBUG www: xxxxx"));
    log_set_level(LOG_ERROR);
    catch_wide(LOG_WARNING, 3, 5, 'x');
    assert_int_equal(seen_len, 0);
    log_set_level(LOG_INFO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_says_when_how_bad_who_and_what),
        cmocka_unit_test(a_long_line_is_cut_and_still_ends),
        cmocka_unit_test(a_foreign_line_break_breaks_no_line),
        cmocka_unit_test(the_level_decides),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
