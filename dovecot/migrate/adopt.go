package migrate

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/ictmedia/schoolmail/internal/imapwire"
)

// looseAfterCrash is how many of the next source messages are compared
// loosely with what an interrupted run may have left at the target: at most
// those the state did not know of yet.
const looseAfterCrash = 2 * maxUnsaved

// item is one message of either side during recognition.
type item struct {
	size   int64
	date   int64    // seconds since 1970; 0 if unknown
	flags  []string // shared between items that have the same
	uid    uint32
	digest digest
	loose  digest
	hashed bool
	taken  bool // by pair
	ghost  bool // an interrupted run stored it, and the source has it no more
}

func (i *item) time() time.Time { return time.Unix(i.date, 0).UTC() }

// adopt finds those of the fresh source messages that the target already has:
// from an interrupted run, an earlier conversion by whatever tool, another
// source folder merged into the same target, or a lost state. It pairs them as
// multisets, so that three copies at the source stay three, and returns the
// fresh ones that are left to be copied.
func (s *session) adopt(ctx context.Context, f *folderRun, fresh imapwire.Set, ghosts []*item) (imapwire.Set, error) {
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
		if err := s.selectTarget(ctx, f.TargetRaw); err != nil {
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
	first := f.state.DstBound == 0
	kind := s.st.acct.Digest

	theirs, err := s.items(ctx, s.dst, pool, "FLAGS INTERNALDATE RFC822.SIZE")
	if err != nil {
		return nil, fmt.Errorf("target: %w", err)
	}
	items := "FLAGS INTERNALDATE RFC822.SIZE"
	if kind == kindSHA1 && s.src.Has("DIGEST=SHA1") {
		items += " DIGEST.SHA1"
	}
	ours, err := s.items(ctx, s.src, fresh, items)
	if err != nil {
		return nil, fmt.Errorf("source: %w", err)
	}

	ours = append(ours, ghosts...)

	// Exact: equal sizes first, then equal digests of those.
	sizes := map[int64]bool{}
	for _, t := range theirs {
		sizes[t.size] = true
	}
	for _, g := range gone {
		sizes[int64(g.size)] = true
	}
	if err := s.hash(ctx, s.src, ours, func(i *item) bool { return sizes[i.size] && !i.hashed }); err != nil {
		return nil, fmt.Errorf("source: %w", err)
	}
	clear(sizes)
	for _, o := range ours {
		sizes[o.size] = true
	}
	if err := s.hash(ctx, s.dst, theirs, func(i *item) bool { return sizes[i.size] }); err != nil {
		return nil, fmt.Errorf("target: %w", err)
	}
	pairs, ours, theirs := pair(ours, theirs, func(i *item) digest { return i.digest })

	// Loose: what another tool or the target itself has changed on the way.
	ours = slices.DeleteFunc(ours, func(o *item) bool { return o.ghost })
	if len(theirs) > 0 && len(ours) > 0 {
		look := ours
		if !first && !s.resumed {
			look = nil
		} else if !first {
			look = ours[:min(len(ours), looseAfterCrash)]
		}
		all := func(i *item) bool { return i.loose == digest{} }
		if len(look) == 0 {
			theirs = nil
		}
		if err := s.hash(ctx, s.dst, theirs, all); err != nil {
			return nil, fmt.Errorf("target: %w", err)
		}
		if err := s.hash(ctx, s.src, look, all); err != nil {
			return nil, fmt.Errorf("source: %w", err)
		}
		var more []pairing
		more, ours, theirs = pair(ours, theirs, func(i *item) digest { return i.loose })
		pairs = append(pairs, more...)
		if len(more) > 0 && first {
			s.find("%q: %d messages at the target are the source's but not byte for byte (an earlier tool or the server changed them)", f.Source, len(more))
		}
	}
	if first && len(pairs) > 0 {
		s.find("%q: %d messages were at the target already and are not copied again", f.Source, len(pairs))
	}
	if first && len(theirs) > 0 {
		s.find("%q: %d messages at the target are not the source's and stay", f.Target, len(theirs))
	}

	// What the user had deleted at the target before the source's UIDs changed stays deleted.
	var known []*item
	for _, o := range ours {
		if i := slices.IndexFunc(gone, func(g entry) bool { return o.hashed && o.digest == g.digest }); i >= 0 {
			gone = slices.Delete(gone, i, i+1)
			known = append(known, o)
		}
	}
	for _, o := range known {
		flags, _ := imapwire.CleanFlags(o.flags)
		if err := s.st.put(f.SourceRaw, o.uid, entry{size: size32(o.size), digest: o.digest, flags: flags}); err != nil {
			return nil, err
		}
	}
	if err := s.record(ctx, f, pairs, others); err != nil {
		return nil, err
	}
	var found []uint32
	for _, p := range pairs {
		found = append(found, p.src.uid)
	}
	for _, o := range known {
		found = append(found, o.uid)
	}
	slices.Sort(found)
	var done imapwire.Set
	for _, uid := range found {
		done.Add(uid)
	}
	return fresh.Without(done), nil
}

type pairing struct{ src, dst *item }

// pair matches by key, as multisets, preferring equal dates and then the order
// of UIDs. It returns what is left on both sides. A zero key matches nothing.
func pair(ours, theirs []*item, key func(*item) digest) (pairs []pairing, restOurs, restTheirs []*item) {
	sorted := func(items []*item) []*item {
		out := slices.Clone(items)
		slices.SortFunc(out, func(a, b *item) int {
			ka, kb := key(a), key(b)
			return cmp.Or(bytes.Compare(ka[:], kb[:]), cmp.Compare(a.date, b.date), cmp.Compare(a.uid, b.uid))
		})
		return out
	}
	left, right := sorted(ours), sorted(theirs)
	for _, i := range slices.Concat(left, right) {
		i.taken = false
	}
	match := func(o, t *item) {
		o.taken, t.taken = true, true
		pairs = append(pairs, pairing{o, t})
	}
	for len(left) > 0 && len(right) > 0 {
		k, kr := key(left[0]), key(right[0])
		if c := bytes.Compare(k[:], kr[:]); c < 0 || k == (digest{}) {
			left = left[1:]
			continue
		} else if c > 0 {
			right = right[1:]
			continue
		}
		n, m := 1, 1
		for n < len(left) && key(left[n]) == k {
			n++
		}
		for m < len(right) && key(right[m]) == k {
			m++
		}
		group, other := left[:n], right[:m]
		left, right = left[n:], right[m:]
		for i, j := 0, 0; i < n && j < m; { // both ascend by date
			switch o, t := group[i], other[j]; {
			case o.date < t.date:
				i++
			case o.date > t.date:
				j++
			default:
				match(o, t)
				i, j = i+1, j+1
			}
		}
		j := 0
		for _, o := range group {
			for j < m && other[j].taken {
				j++
			}
			if !o.taken && j < m {
				match(o, other[j])
			}
		}
	}
	rest := func(items []*item) (out []*item) {
		for _, i := range items {
			if !i.taken {
				out = append(out, i)
			}
		}
		return out
	}
	return pairs, rest(ours), rest(theirs)
}

// items fetches what recognition needs, by ascending UID.
func (s *session) items(ctx context.Context, c *imapwire.Client, uids imapwire.Set, items string) ([]*item, error) {
	var out []*item
	var slab []item
	flags := map[string][]string{} // there are few different ones
	for _, part := range uids.Chunks(fetchCount) {
		if _, err := c.Fetch(ctx, part, items, "", func(m *imapwire.Message, _ io.Reader, _ int64) error {
			if !part.Contains(m.UID) {
				return nil
			}
			if len(slab) == 0 {
				slab = make([]item, 1000)
			}
			i := &slab[0]
			slab = slab[1:]
			*i = item{uid: m.UID, size: m.Size}
			if m.HasDate {
				i.date = m.Date.Unix()
			}
			all := strings.Join(m.Flags, " ")
			if _, ok := flags[all]; !ok {
				flags[all] = m.Flags
			}
			i.flags = flags[all]
			i.digest, i.hashed = parseDigest(m.SHA1)
			out = append(out, i)
			return nil
		}); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(out, func(a, b *item) int { return cmp.Compare(a.uid, b.uid) })
	return slices.CompactFunc(out, func(a, b *item) bool { return a.uid == b.uid }), nil
}

// hash reads the content of the wanted items and sets their digests.
func (s *session) hash(ctx context.Context, c *imapwire.Client, items []*item, want func(*item) bool) error {
	byUID := slices.DeleteFunc(slices.Clone(items), func(i *item) bool { return !want(i) })
	slices.SortFunc(byUID, func(a, b *item) int { return cmp.Compare(a.uid, b.uid) })
	var uids imapwire.Set
	for _, i := range byUID {
		uids.Add(i.uid)
	}
	for _, part := range uids.Chunks(fetchCount) {
		_, err := c.Fetch(ctx, part, "BODY.PEEK[]", "", func(m *imapwire.Message, body io.Reader, _ int64) error {
			at, ok := slices.BinarySearchFunc(byUID, m.UID, func(i *item, uid uint32) int { return cmp.Compare(i.uid, uid) })
			if !ok || body == nil {
				return nil
			}
			i := byUID[at]
			exact, loose, err := digestBody(s.st.acct.Digest, body)
			if err != nil {
				return err
			}
			i.digest, i.loose, i.hashed = exact, loose, true
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
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

// tombstones are the messages that had been copied before the source's
// UIDVALIDITY changed and are no longer at the target.
func (s *session) tombstones(f *folderRun, pool imapwire.Set) ([]entry, error) {
	var gone []entry
	err := s.st.each(bucketOld, f.SourceRaw, func(_ uint32, e entry) error {
		if e.dst == 0 || !pool.Contains(e.dst) {
			gone = append(gone, e)
		}
		return nil
	})
	return gone, err
}

// record writes the pairs into the state and brings the flags over: exactly for messages that an
// interrupted run of ours has left, else what is missing is added, so that
// what the user did at the target meanwhile stays.
func (s *session) record(ctx context.Context, f *folderRun, pairs []pairing, others imapwire.Set) error {
	changes := map[string]*imapwire.Set{}
	for _, p := range pairs {
		if p.src.ghost {
			f.gone.Add(p.src.uid)
			continue
		}
		want, _ := imapwire.CleanFlags(p.src.flags)
		have, _ := imapwire.CleanFlags(p.dst.flags)
		add, remove := flagChanges(have, want)
		ours := s.resumed && f.state.DstBound > 0 && p.dst.uid >= f.state.DstBound && !others.Contains(p.dst.uid)
		if !ours {
			remove = nil
		}
		collect(changes, p.dst.uid, add, remove)
	}
	if err := s.storeFlags(ctx, f, changes); err != nil {
		return err
	}
	r := s.result(f)
	for _, p := range pairs {
		flags, _ := imapwire.CleanFlags(p.src.flags)
		if err := s.st.put(f.SourceRaw, p.src.uid, entry{dst: p.dst.uid, size: size32(p.src.size), digest: p.src.digest, flags: flags}); err != nil {
			return err
		}
	}
	r.Adopted += len(pairs)
	s.res.Adopted += len(pairs)
	s.done += len(pairs)
	s.m.observe(Progress{s.acct.Name, f.Source, s.done, s.doneBytes})
	return nil
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
	if err := s.selectTarget(ctx, f.TargetRaw); err != nil {
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
