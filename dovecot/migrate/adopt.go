package migrate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail/internal/imapwire"
)

// looseAfterCrash is how many of the next source messages are compared
// loosely with what an interrupted run may have left at the target: at most
// those the state did not know of yet.
const looseAfterCrash = 2 * maxUnsaved

// adopt finds those of the fresh source messages that the target already has:
// from an interrupted run, an earlier conversion by whatever tool, another
// source folder merged into the same target, or a lost state. It pairs them as
// multisets, so that three copies at the source stay three, and returns the
// fresh ones that are left to be copied.
func (s *session) adopt(ctx context.Context, f *folderRun, fresh imapwire.Set, ghosts []item) (imapwire.Set, error) {
	ds := s.dstStatus[f.TargetRaw]
	_, mine, err := s.st.uids(f.SourceRaw)
	if err != nil {
		return nil, err
	}
	others, err := s.ownedByOthers(f)
	if err != nil {
		return nil, err
	}
	var pool imapwire.Set
	// The listing tells that nothing is there which is not accounted for, or it has to be looked at.
	unknown := ds == nil || ds.Messages > 0 && (f.state.DstBound == 0 || ds.UIDNext > f.state.DstBound)
	if unknown || len(others) > 0 {
		if err := s.selectTarget(ctx, f); err != nil {
			return nil, fmt.Errorf("target: %w", err)
		}
		bound := max(f.state.DstBound, 1)
		found, err := s.dst.Search(ctx, fmt.Sprintf("UID %d:*", bound))
		if err != nil {
			return nil, fmt.Errorf("target: %w", err)
		}
		found = found.From(bound) // "n:*" always holds the last message
		if n := len(found); n > 0 {
			f.seen = found[n-1].Last + 1
		}
		for _, r := range others {
			found.AddRange(r.First, r.Last)
		}
		pool = found.Without(mine)
	} else {
		f.seen = ds.UIDNext
	}
	f.seen = max(f.seen, 1)
	gone, err := s.tombstones(f, pool)
	if err != nil {
		return nil, err
	}
	if len(pool) == 0 && len(gone) == 0 || len(fresh)+len(ghosts) == 0 {
		return fresh, nil
	}
	r := &recognition{s: s, f: f, others: others, gone: gone, first: f.state.DstBound == 0}
	if err := r.run(ctx, fresh, pool, ghosts); err != nil {
		return nil, err
	}
	slices.Sort(r.done)
	var done imapwire.Set
	for _, uid := range r.done {
		done.Add(uid)
	}
	return fresh.Without(done), nil
}

// ownedByOthers are the target's messages that other source folders, merged
// into the same target, have brought.
func (s *session) ownedByOthers(f *folderRun) (imapwire.Set, error) {
	var out imapwire.Set
	for raw, o := range s.folders {
		if raw == f.SourceRaw || o.Target != f.TargetRaw {
			continue
		}
		if err := s.st.flush(raw); err != nil {
			return nil, err
		}
		_, dst, err := s.st.uids(raw)
		if err != nil {
			return nil, err
		}
		for _, r := range dst {
			out.AddRange(r.First, r.Last)
		}
	}
	return out, nil
}

// tombstones counts, by content, the messages that had been copied before the
// source's UIDVALIDITY changed and are no longer at the target.
func (s *session) tombstones(f *folderRun, pool imapwire.Set) (gone map[entryKey]int, err error) {
	gone = map[entryKey]int{}
	err = s.st.each(bucketOld, f.SourceRaw, func(_ uint32, e entry) error {
		if e.dst == 0 || !pool.Contains(e.dst) {
			gone[entryKey{e.size, e.digest}]++
		}
		return nil
	})
	return gone, err
}

// entryKey is a message's content.
type entryKey struct {
	size   uint32
	digest digest
}

// flagChanges compares two clean flag lists, keywords without regard to case.
func flagChanges(from, to []string) (add, remove []string) {
	has := func(list []string, f string) bool {
		return slices.ContainsFunc(list, func(g string) bool { return strings.EqualFold(f, g) })
	}
	for _, f := range to {
		if !has(from, f) {
			add = append(add, f)
		}
	}
	for _, f := range from {
		if !has(to, f) {
			remove = append(remove, f)
		}
	}
	return add, remove
}

// collect groups UIDs by the change they need: "+\Seen $x" or "-\Flagged".
func collect(changes map[string]*imapwire.Set, uid uint32, add, remove []string) {
	put := func(key string) {
		if changes[key] == nil {
			changes[key] = &imapwire.Set{}
		}
		changes[key].Add(uid)
	}
	if len(add) > 0 {
		put("+" + strings.Join(add, " "))
	}
	if len(remove) > 0 {
		put("-" + strings.Join(remove, " "))
	}
}

// storeFlags sends collected changes, in a fixed order. A refused change is reported.
func (s *session) storeFlags(ctx context.Context, f *folderRun, changes map[string]*imapwire.Set) error {
	if len(changes) == 0 {
		return nil
	}
	if err := s.selectTarget(ctx, f); err != nil {
		return fmt.Errorf("target: %w", err)
	}
	keys := make([]string, 0, len(changes))
	for k := range changes {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		if err := s.dst.StoreFlags(ctx, *changes[k], k[:1], strings.Fields(k[1:])); err != nil {
			if s.dst.Err() != nil {
				return fmt.Errorf("target: %w", err)
			}
			s.problem(f, 0, ProblemFlags, "%s on %d messages: %v", k, changes[k].Len(), err)
		}
	}
	return nil
}
