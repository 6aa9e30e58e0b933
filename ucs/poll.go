package ucs

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail/internal/retry"
)

// seenEntry is what a poll remembers of an entry.
type seenEntry struct{ dn, csn, username string }

// poll reads the change numbers of all accounts and groups again and again.
// Removals and changes of groups, which the entries of their members do not show,
// are seen like all others.
func (w *watcher) poll(ctx context.Context) error {
	before, err := w.look(ctx)
	if err != nil {
		return err
	}
	if w.opts.After != "" { // nobody knows what was removed meanwhile
		if err := w.tell(Change{Kind: EverythingChanged, Position: pollPosition}); err != nil {
			return err
		}
	}
	for {
		if err := retry.Sleep(ctx, w.opts.Interval); err != nil {
			return err
		}
		now, err := w.look(ctx)
		if err != nil {
			return err
		}
		for _, ch := range compare(before, now) {
			if err := w.tell(ch); err != nil {
				return err
			}
		}
		before = now
	}
}

const pollPosition Position = "poll"

// look reads the accounts and groups, by entryUUID.
func (w *watcher) look(ctx context.Context) (map[string]seenEntry, error) {
	out := map[string]seenEntry{}
	q := query{w.d.base, ldap.ScopeWholeSubtree, "(|(uid=*)(objectClass=posixGroup))",
		[]string{"uid", "entryUUID", "entryCSN"}}
	err := w.c.scan(ctx, q, func(e *entry) bool {
		out[strings.Clone(e.value("entryUUID"))] = seenEntry{strings.Clone(e.dn), strings.Clone(e.value("entryCSN")),
			strings.ToLower(strings.Clone(e.value("uid")))}
		return true
	})
	return out, err
}

// compare tells what is different, in the order of names.
func compare(before, now map[string]seenEntry) []Change {
	var out []Change
	for id, e := range now {
		old, ok := before[id]
		if ok && old == e {
			continue
		}
		ch := Change{Kind: EntryChanged, Position: pollPosition, DN: e.dn, Username: e.username}
		if ok && old.dn != e.dn {
			ch.OldDN = old.dn
		}
		out = append(out, ch)
	}
	for id, e := range before {
		if _, ok := now[id]; !ok {
			out = append(out, Change{Kind: EntryRemoved, Position: pollPosition, DN: e.dn, Username: e.username})
		}
	}
	slices.SortFunc(out, func(a, b Change) int { return cmp.Or(cmp.Compare(a.DN, b.DN), cmp.Compare(a.Kind, b.Kind)) })
	return out
}
