package migrate

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail/internal/imapwire"
)

// flags carries changed flags over: what the source added or removed since it
// was last looked at, so that changes the user made at the target stay.
func (f *folderRun) flags(ctx context.Context, old imapwire.Set, sel *imapwire.Selected) error {
	mod := ""
	if sel.HighestModSeq != 0 && f.state.SrcModSeq != 0 {
		mod = fmt.Sprintf("(CHANGEDSINCE %d)", f.state.SrcModSeq)
	}
	n := 0
	for _, part := range old.Chunks(5 * fetchCount) {
		now := map[uint32][]string{}
		if err := f.src.do(opFlags, f.SourceRaw, func(c *imapwire.Client) error {
			return c.Fetch(ctx, part, "FLAGS", mod, func(m *imapwire.Message, _ io.Reader, _ int64) error {
				if m.HasFlags && part.Contains(m.UID) {
					flags, bad := f.take.clean(f.src.called(m.Flags))
					if len(bad) > 0 {
						f.led.warn(f.Mapping, m.UID, ProblemKeyword, "kept without the keywords %q, which the target would not take", bad)
					}
					now[m.UID] = flags
				}
				return nil
			})
		}); err != nil {
			return err
		}
		var there map[uint32][]string
		if mod != "" && f.st.acct.NotesLost { // these have changed since the state was true
			var err error
			if there, err = f.atTarget(ctx, now); err != nil {
				return err
			}
		}
		changed, err := f.storeChanges(ctx, now, there)
		if err != nil {
			return err
		}
		n += changed
	}
	if n > 0 {
		f.led.count(f.Mapping, func(r *Result, o *FolderResult) { r.Flags, o.Flags = r.Flags+n, o.Flags+n })
	}
	return nil
}

// atTarget reads the flags that source messages have at the target, by the target's UID.
func (f *folderRun) atTarget(ctx context.Context, now map[uint32][]string) (map[uint32][]string, error) {
	var dst imapwire.Set
	if err := f.st.get(f.SourceRaw, uidsOf(now), func(_ uint32, e entry) error {
		if e.dst != 0 {
			dst.Add(e.dst)
		}
		return nil
	}); err != nil || len(dst) == 0 {
		return nil, err
	}
	if err := f.openTarget(ctx); err != nil {
		return nil, err
	}
	out := map[uint32][]string{}
	return out, f.dst.fetch(ctx, dst, "FLAGS", func(m *imapwire.Message, _ io.Reader, _ int64) error {
		if m.HasFlags {
			out[m.UID], _ = imapwire.CleanFlags(m.Flags)
		}
		return nil
	})
}

func uidsOf(flags map[uint32][]string) (uids imapwire.Set) {
	for uid := range flags {
		uids.Add(uid)
	}
	return uids
}

// storeChanges brings flags that the source has now to the target, where the
// state knows other ones, or the target has them, where that is known, and tells of how many messages.
func (f *folderRun) storeChanges(ctx context.Context, now, there map[uint32][]string) (int, error) {
	touched := uidsOf(now)
	changes := flagChangesByKind{}
	updates := map[uint32]entry{}
	var intents []intent
	doubt := f.st.doubtful(f.SourceRaw, f.validity)
	if err := f.st.get(f.SourceRaw, touched, func(uid uint32, e entry) error {
		before, known := there[e.dst]
		if !known {
			before = stored(e.flags, now[uid], doubt[uid])
		}
		add, remove := flagChanges(before, now[uid])
		more, less := flagChanges(e.flags, now[uid])
		if len(add)+len(remove)+len(more)+len(less) == 0 {
			return nil
		}
		e.flags = now[uid]
		updates[uid] = e
		if e.dst != 0 && len(add)+len(remove) > 0 {
			changes.put(e.dst, add, remove)
			intents = append(intents, f.change(uid, e.dst, add, remove))
		}
		return nil
	}); err != nil {
		return 0, err
	}
	return len(updates), f.storeNoted(ctx, changes, intents, func() error {
		for uid, e := range updates {
			if err := f.st.put(f.SourceRaw, uid, e); err != nil {
				return err
			}
		}
		return nil
	})
}

// change is a note of flags that are about to be changed.
func (f *folderRun) change(uid, dst uint32, add, remove []string) intent {
	return intent{Folder: f.SourceRaw, Validity: f.validity, UID: uid, Flags: slices.Concat(add, remove), Change: true,
		At: dst, AtIn: f.state.DstValidity}
}

// storeNoted writes down what is about to be changed, changes it, and enters it into the state: a run
// that ends in between leaves flags at the target of which the state does not know.
func (f *folderRun) storeNoted(ctx context.Context, changes flagChangesByKind, intents []intent,
	enter func() error) error {
	if len(intents) > 0 {
		if err := f.st.write(f.SourceRaw, intents); err != nil {
			return err
		}
	}
	if err := f.storeFlags(ctx, changes); err != nil {
		return err
	}
	if err := enter(); err != nil {
		return err
	}
	f.st.answered(f.SourceRaw)
	return nil
}

// stored are the flags that the target may have, by the state: of those that an interrupted run
// was changing nobody knows, so that each is taken for what has to be changed.
func stored(flags, now, doubt []string) []string {
	if len(doubt) == 0 {
		return flags
	}
	_, certain := flagChanges(flags, doubt)
	_, missing := flagChanges(doubt, now)
	return append(certain, missing...)
}

// flagChanges compares two clean flag lists, keywords without regard to case.
func flagChanges(from, to []string) (add, remove []string) {
	for _, f := range to {
		if !hasFlag(from, f) {
			add = append(add, f)
		}
	}
	for _, f := range from {
		if !hasFlag(to, f) {
			remove = append(remove, f)
		}
	}
	return add, remove
}

func hasFlag(list []string, flag string) bool {
	return slices.ContainsFunc(list, func(g string) bool { return strings.EqualFold(flag, g) })
}

// flagChangesByKind groups UIDs by the change they need: "+\Seen $x" or "-\Flagged".
type flagChangesByKind map[string]*imapwire.Set

func (c flagChangesByKind) put(uid uint32, add, remove []string) {
	for sign, flags := range map[string][]string{"+": add, "-": remove} {
		if len(flags) == 0 {
			continue
		}
		key := sign + strings.Join(flags, " ")
		if c[key] == nil {
			c[key] = &imapwire.Set{}
		}
		c[key].Add(uid)
	}
}

// storeFlags sends collected changes, in a fixed order. A refused change is reported.
func (f *folderRun) storeFlags(ctx context.Context, changes flagChangesByKind) error {
	if len(changes) == 0 {
		return nil
	}
	if err := f.openTarget(ctx); err != nil {
		return err
	}
	keys := make([]string, 0, len(changes))
	for k := range changes {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		err := f.dst.do(opFlags, f.TargetRaw, func(c *imapwire.Client) error {
			return c.StoreFlags(ctx, *changes[k], k[:1], strings.Fields(k[1:]))
		})
		if err == nil {
			continue
		}
		if _, later := throttle(err); later || f.dst.lost() {
			return err
		}
		f.led.warn(f.Mapping, 0, ProblemFlags, "%s on %d messages: %v", k, changes[k].Len(), err)
	}
	return nil
}
