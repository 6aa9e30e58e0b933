package migrate

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ictmedia/schoolmail/internal/imapwire"
)

// VerifyOptions of [Migrator.Verify]. The zero value compares everything.
type VerifyOptions struct {
	// Sample is the share of messages whose content is compared, 0 and 1 mean all.
	// Of the others, size and date are compared. A Cyrus source tells its digests
	// without a download, so that all costs no more there than reading the target.
	Sample float64
	// MaxDifferences limits the list for each folder, 0 means 1,000. The counts stay exact.
	MaxDifferences int
}

// Difference between the two sides, by UID.
type Difference struct {
	Folder string `json:"folder"` // readable, at the source
	UID    uint32 `json:"uid"`    // at the source, 0 if the whole folder
	Target uint32 `json:"targetUid,omitempty"`
	Kind   string `json:"kind"` // see the Difference constants
	Text   string `json:"text,omitempty"`
}

// Kinds of differences. Only DifferenceMissing makes a certificate incomplete.
const (
	DifferenceMissing = "missing"           // at the source and not at the target
	DifferenceRemoved = "removed at target" // was there at the cut-over; its user has removed or moved it since
	DifferenceContent = "content"           // the same message, not byte for byte
	DifferenceFlags   = "flags"
	DifferenceDate    = "date"
)

// FolderCertificate is the comparison of one target folder with what feeds it.
type FolderCertificate struct {
	Target         string   `json:"target"`
	Sources        []string `json:"sources"`
	SourceMessages int      `json:"sourceMessages"`
	SourceBytes    int64    `json:"sourceBytes"`
	TargetMessages int      `json:"targetMessages"`
	TargetBytes    int64    `json:"targetBytes"`
	Equal          int      `json:"equal"`   // source messages found with the same content
	Shared         int      `json:"shared"`  // found once for several source folders
	Digests        int      `json:"digests"` // source messages whose content was compared
	Missing        int      `json:"missing"`
	Removed        int      `json:"removed"`
	Content        int      `json:"content"`
	Flags          int      `json:"flags"`
	Dates          int      `json:"dates"`
	Extra          int      `json:"extra"` // at the target only: delivered or filed there since
}

// Certificate is the proof for one account: what was compared, and every
// difference.
type Certificate struct {
	Account     string              `json:"account"`
	Time        time.Time           `json:"time"`
	Stage       Stage               `json:"stage"`
	Sample      float64             `json:"sample"`   // share of messages compared by content
	Digest      string              `json:"digest"`   // "sha1" or "sha256"
	Complete    bool                `json:"complete"` // nothing is missing, and the source was at rest
	Folders     []FolderCertificate `json:"folders"`
	Differences []Difference        `json:"differences,omitempty"`
	// Changed are source folders into which mail came while they were being
	// compared. A message that moved between two folders meanwhile may have been seen in
	// neither, so that this is no proof; verify again when the source is at rest.
	Changed []string `json:"changed,omitempty"`
	// Doubtful are the folders whose counts contradict each other, or answers that
	// could not be read: what has been compared may not be all there is.
	Doubtful []string `json:"doubtful,omitempty"`
	Skipped  []string `json:"skipped,omitempty"` // folders that stay behind by rule
	Error    string   `json:"error,omitempty"`   // why there is no comparison
}

// Total sums the folders up.
func (c *Certificate) Total() FolderCertificate {
	var t FolderCertificate
	for _, f := range c.Folders {
		t.add(f)
	}
	return t
}

func (t *FolderCertificate) add(f FolderCertificate) {
	t.SourceMessages += f.SourceMessages
	t.SourceBytes += f.SourceBytes
	t.TargetMessages += f.TargetMessages
	t.TargetBytes += f.TargetBytes
	t.Equal += f.Equal
	t.Shared += f.Shared
	t.Digests += f.Digests
	t.Missing += f.Missing
	t.Removed += f.Removed
	t.Content += f.Content
	t.Flags += f.Flags
	t.Dates += f.Dates
	t.Extra += f.Extra
}

// Verify reads both sides and compares them: counts, sizes, content, flags and
// dates, as multisets for each folder. It trusts nothing the copy recorded: what the
// target does not have is missing. Only after the cut-over the state explains what was
// there then and its user has removed since. It opens everything read-only.
func (m *Migrator) Verify(ctx context.Context, a Account, o *VerifyOptions) (*Certificate, error) {
	var opt VerifyOptions
	if o != nil {
		opt = *o
	}
	if opt.Sample <= 0 || opt.Sample > 1 {
		opt.Sample = 1
	}
	if opt.MaxDifferences <= 0 {
		opt.MaxDifferences = 1000
	}
	st, err := openState(m.dir, a.Name)
	if err != nil {
		return nil, &Error{a.Name, "verify", "", err}
	}
	defer st.close()
	v := &verifier{session: session{m: m, acct: a, st: st, res: &Result{Account: a.Name}}, opt: opt}
	defer v.close()
	cert, err := v.run(ctx)
	if err != nil {
		return nil, v.fail("verify", "", err)
	}
	if cert.Complete && st.acct.Stage == CutOver {
		st.acct.Stage = Verified
	}
	cert.Stage = st.acct.Stage
	return cert, v.fail("state", "", st.save(nil))
}

type verifier struct {
	session
	opt      VerifyOptions
	doubtful []string
}

func (v *verifier) doubt(format string, args ...any) {
	v.doubtful = append(v.doubtful, fmt.Sprintf(format, args...))
}

func (v *verifier) run(ctx context.Context) (*Certificate, error) {
	if err := v.connect(ctx); err != nil {
		return nil, err
	}
	if v.st.acct.Digest == "" { // nothing has been copied by us
		v.st.acct.Digest = kindSHA256
		if v.src.Has("DIGEST=SHA1") {
			v.st.acct.Digest = kindSHA1
		}
	}
	var err error
	if v.folders, err = v.st.folders(); err != nil {
		return nil, err
	}
	recorded := map[string]string{}
	for raw, f := range v.folders {
		recorded[raw] = f.Target
	}
	plan := PlanFolders(v.srcView, v.dstView, v.m.opt.Folders, recorded)
	cert := &Certificate{Account: v.acct.Name, Time: v.m.opt.Now().UTC().Truncate(time.Second), Sample: v.opt.Sample,
		Digest: string(v.st.acct.Digest), Skipped: plan.Skipped}
	var order []string
	byTarget := map[string][]Mapping{}
	for _, mp := range plan.Mappings {
		if byTarget[mp.TargetRaw] == nil {
			order = append(order, mp.TargetRaw)
		}
		byTarget[mp.TargetRaw] = append(byTarget[mp.TargetRaw], mp)
	}
	for _, target := range order {
		f, diffs, err := v.folder(ctx, byTarget[target])
		if err != nil {
			return nil, &Error{v.acct.Name, "verify", byTarget[target][0].Target, err}
		}
		cert.Folders = append(cert.Folders, f)
		cert.Differences = append(cert.Differences, diffs...)
	}
	if cert.Changed, err = v.changed(ctx); err != nil {
		return nil, fmt.Errorf("source: %w", err)
	}
	if odd := v.src.OddCount + v.dst.OddCount; odd > 0 {
		v.doubt("%d lines of the servers could not be read", odd)
	}
	cert.Doubtful = v.doubtful
	cert.Complete = cert.Total().Missing == 0 && len(cert.Changed) == 0 && len(cert.Doubtful) == 0
	return cert, nil
}

// changed lists the source once more: a folder that is new, or has new UIDs
// since the first listing, has changed.
func (v *verifier) changed(ctx context.Context) ([]string, error) {
	boxes, err := v.src.List(ctx, true)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, b := range boxes {
		if imapwire.InboxName(b.Name) {
			b.Name = "INBOX"
		}
		old := v.srcStatus[b.Name]
		if b.Status != nil && (old == nil || old.UIDNext != b.Status.UIDNext || old.UIDValidity != b.Status.UIDValidity) {
			out = append(out, v.srcView.name(b.Name))
		}
	}
	return out, nil
}

// open selects a folder read-only and fetches what is compared. Of the source it is
// doubted whether that is all, as long as SELECT, STATUS, SEARCH and FETCH do not agree.
func (v *verifier) open(ctx context.Context, c *imapwire.Client, mp Mapping, digests bool) ([]item, error) {
	var sel *imapwire.Selected
	var live imapwire.Set
	var err error
	counts := ""
	if c == v.src {
		f := &folderRun{Mapping: mp}
		if sel, err = v.selectSource(ctx, mp.SourceRaw); err == nil {
			var st *imapwire.Status
			sel, live, st, err = v.live(ctx, f, sel)
			if err == nil {
				counts = contradiction(sel, st, live.Len())
			}
		}
	} else if sel, err = c.Select(ctx, mp.TargetRaw, true); err == nil && sel.Messages > 0 {
		live, err = c.Search(ctx, "ALL")
	}
	if err != nil {
		return nil, err
	}
	items := basicItems
	if digests {
		items += " DIGEST.SHA1"
	}
	got, err := v.items(ctx, c, live, items)
	if c == v.src && err == nil && counts == "" && len(got) < live.Len() {
		counts = fmt.Sprintf("SEARCH lists %d messages, FETCH tells %d", live.Len(), len(got))
	}
	if counts != "" {
		v.doubt("%s: %s", mp.Source, counts)
	}
	return got, err
}

func (v *verifier) folder(ctx context.Context, maps []Mapping) (f FolderCertificate, diffs []Difference, err error) {
	f.Target = maps[0].Target
	theirs, err := v.open(ctx, v.dst, maps[0], false)
	if _, refused := errors.AsType[*imapwire.Error](err); refused {
		theirs, err = nil, nil // no such folder: everything is missing
	}
	if err != nil {
		return f, nil, fmt.Errorf("target: %w", err)
	}
	f.TargetMessages = len(theirs)
	for i := range theirs {
		f.TargetBytes += int64(theirs[i].size)
	}
	free := v.st.acct.Digest == kindSHA1 && v.src.Has("DIGEST=SHA1")
	sampled := func(uid uint32) bool {
		// A fixed choice that spreads over the folder: the same messages at every verification.
		return v.opt.Sample >= 1 || float64(uid*2654435761%1000) < v.opt.Sample*1000
	}
	used := make([]int32, len(theirs)) // how many source messages each is the counterpart of
	for _, mp := range maps {
		f.Sources = append(f.Sources, mp.Source)
		ours, err := v.open(ctx, v.src, mp, free)
		if err != nil {
			return f, nil, fmt.Errorf("source: %w", err)
		}
		f.SourceMessages += len(ours)
		sizes := new(sizeSet)
		for i := range ours {
			o := &ours[i]
			f.SourceBytes += int64(o.size)
			if sampled(o.uid) {
				sizes.add(o.size)
				f.Digests++
			} else {
				o.digest = digest{}
			}
		}
		if err := v.hash(ctx, v.src, ours, func(i int) bool { return sampled(ours[i].uid) && ours[i].digest == digest{} },
			func(i int, exact, _ digest) { ours[i].digest = exact }); err != nil {
			return f, nil, fmt.Errorf("source: %w", err)
		}
		if err := v.hashExact(ctx, v.dst, theirs, sizes); err != nil {
			return f, nil, fmt.Errorf("target: %w", err)
		}
		// Each source folder is paired with the whole target folder: a message
		// that two merged folders share is there once for both.
		pairs, rest, left := pair(candidates{ours, all(ours), byDigest(ours)}, candidates{theirs, all(theirs), byDigest(theirs)})
		if v.opt.Sample < 1 {
			unsampled := slices.DeleteFunc(slices.Clone(rest), func(i int32) bool { return sampled(ours[i].uid) })
			var more []pairing
			more, _, left = pair(byLook(ours, unsampled), byLook(theirs, left))
			pairs = append(pairs, more...)
			rest = without(rest, more, len(ours))
		}
		if len(rest) > 0 && len(left) > 0 {
			ourKeys, err := v.hashLoose(ctx, v.src, ours, rest)
			if err != nil {
				return f, nil, fmt.Errorf("source: %w", err)
			}
			theirKeys, err := v.hashLoose(ctx, v.dst, theirs, left)
			if err != nil {
				return f, nil, fmt.Errorf("target: %w", err)
			}
			changed, _, _ := pair(candidates{ours, rest, func(i int32) *digest { return &ourKeys[i] }}, candidates{theirs, left, func(i int32) *digest { return &theirKeys[i] }})
			for _, p := range changed {
				o, t := &ours[p.src], &theirs[p.dst]
				f.Content++
				diffs = append(diffs, Difference{mp.Source, o.uid, t.uid, DifferenceContent, fmt.Sprintf("%d bytes at the source, %d at the target", o.size, t.size)})
				used[p.dst]++
			}
			rest = without(rest, changed, len(ours))
		}
		f.Equal += len(pairs)
		for _, p := range pairs {
			used[p.dst]++
			diffs = append(diffs, v.compare(&f, mp, &ours[p.src], &theirs[p.dst])...)
		}
		removed := imapwire.Set{}
		if len(rest) > 0 && v.afterCutOver() {
			if removed, _, err = v.st.uids(mp.SourceRaw); err != nil {
				return f, nil, err
			}
			if fs := v.folders[mp.SourceRaw]; fs != nil {
				removed = removed.Without(v.lost(fs))
			}
		}
		for _, i := range rest {
			o := &ours[i]
			d := Difference{Folder: mp.Source, UID: o.uid, Kind: DifferenceMissing, Text: fmt.Sprintf("%d bytes of %s", o.size, o.time().Format(time.DateOnly))}
			if removed.Contains(o.uid) {
				d.Kind = DifferenceRemoved
				f.Removed++
			} else {
				f.Missing++
			}
			diffs = append(diffs, d)
		}
	}
	for _, n := range used {
		if n == 0 {
			f.Extra++
		} else {
			f.Shared += int(n) - 1
		}
	}
	// What is missing comes first, should the list be cut.
	slices.SortStableFunc(diffs, func(a, b Difference) int { return missingFirst(a) - missingFirst(b) })
	return f, diffs[:min(len(diffs), v.opt.MaxDifferences)], nil
}

// byLook pairs by size and date, for messages whose content is not compared.
func byLook(items []item, index []int32) candidates {
	keys := make([]digest, len(items))
	for _, i := range index {
		keys[i] = digest{0: 1}
		binary.BigEndian.PutUint32(keys[i][4:], items[i].size)
		binary.BigEndian.PutUint64(keys[i][8:], uint64(items[i].date))
	}
	return candidates{items, index, func(i int32) *digest { return &keys[i] }}
}

func missingFirst(d Difference) int {
	if d.Kind == DifferenceMissing {
		return 0
	}
	return 1
}

func without(index []int32, pairs []pairing, n int) []int32 {
	gone := make([]bool, n)
	for _, p := range pairs {
		gone[p.src] = true
	}
	return slices.DeleteFunc(slices.Clone(index), func(i int32) bool { return gone[i] })
}

// compare looks at flags and date of a pair.
func (v *verifier) compare(f *FolderCertificate, mp Mapping, o, t *item) (diffs []Difference) {
	have, want := v.cleanFlags(t), v.cleanFlags(o)
	if add, remove := flagChanges(have, want); len(add)+len(remove) > 0 {
		f.Flags++
		diffs = append(diffs, Difference{mp.Source, o.uid, t.uid, DifferenceFlags, fmt.Sprintf("source %v, target %v", want, have)})
	}
	if o.date != t.date {
		f.Dates++
		diffs = append(diffs, Difference{mp.Source, o.uid, t.uid, DifferenceDate, fmt.Sprintf("source %s, target %s", o.time().Format(time.RFC3339), t.time().Format(time.RFC3339))})
	}
	return diffs
}
