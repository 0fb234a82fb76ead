/* The events of a settings file: writes that people want to see counted by a name. They decide
 * nothing: what a write ends follows from what it writes. */
#include <stdio.h>

#include "rules/compile.h"
#include "rules/loader.h"

struct event_section {
    const struct yaml *match;
};

static const struct field EVENT_FIELDS[] = {
    {.name = "match",
     .type = FIELD_NODE,
     .at = offsetof(struct event_section, match),
     .form = &FORM_OF_MATCH,
     .help = "what a write must be to be such an event"},
};

static const struct form EVENT = {.kind = FORM_MAP, .fields = EVENT_FIELDS, .nfields = 1};
const struct form FORM_OF_EVENTS = {.kind = FORM_NAMED, .of = &EVENT};

void load_events(struct loader *loader)
{
    const struct yaml *node = yaml_child(loader->root, "events");
    struct rules *rules = loader->rules;
    struct event *events;

    if (!node || !field_is_map(node, "events", loader->diag))
        return;
    if (node->count > EVENTS_MAX)
        diag_add(loader->diag, node->line, node->column, "`events` has more than %d", EVENTS_MAX);
    events = keep_array(loader->keep, EVENTS_MAX, sizeof(*events));
    rules->events = events;
    rules->event_counts = keep_array(loader->keep, EVENTS_MAX, sizeof(*rules->event_counts));
    for (const struct yaml *child = node->first; child && rules->nevents < EVENTS_MAX;
         child = child->next) {
        struct event_section section = {0};
        char path[LOAD_PATH];

        snprintf(path, sizeof(path), "events.%s", child->key);
        fields_read(EVENT_FIELDS, 1, child, path, &section, loader->keep, loader->diag);
        events[rules->nevents].name = keep_text(loader->keep, child->key);
        events[rules->nevents++].match = load_match(loader, section.match, path);
    }
}

void plan_choose_events(struct plan *plan)
{
    const struct rules *rules = plan->rules;

    for (unsigned i = 0; !plan->read && i < rules->nevents; i++)
        if (match_shape(rules->events[i].match, plan) == MATCHES)
            plan_memory(plan)->events |= UINT32_C(1) << i;
}

uint32_t plan_events(const struct plan *plan, uint32_t tiers, const struct asker *asker)
{
    uint32_t events = plan_memory(plan)->events;

    for (uint32_t left = events; left; left &= left - 1) {
        unsigned i = (unsigned)__builtin_ctz(left);

        if (match_asker(plan->rules->events[i].match, tiers, asker) != MATCHES)
            events &= ~(UINT32_C(1) << i);
    }
    return events;
}
