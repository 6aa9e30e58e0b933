package migrate

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ictmedia/schoolmail/internal/humansize"
	"github.com/ictmedia/schoolmail/internal/imapwire"
)

// Limits say which messages stay behind. The zero value takes all.
type Limits struct {
	// Since leaves messages behind that the source received before that day.
	Since time.Time
	// MaxSize leaves larger messages behind, in bytes; 0 takes all.
	MaxSize int64
}

// criterion is an IMAP search for the messages of a folder that are taken, "" for all.
func (l Limits) criterion(mp Mapping) string {
	var out []string
	if mp.Search != "" {
		out = append(out, mp.Search)
	}
	if !l.Since.IsZero() {
		out = append(out, "SINCE "+l.Since.Format("2-Jan-2006"))
	}
	if l.MaxSize > 0 {
		out = append(out, fmt.Sprintf("SMALLER %d", l.MaxSize+1))
	}
	return strings.Join(out, " ")
}

// taken are those of the open folder's messages that are not left behind.
func (r *accountRun) taken(ctx context.Context, src *peer, mp Mapping, live imapwire.Set) (imapwire.Set, error) {
	criterion := r.m.opt.Limits.criterion(mp)
	if criterion == "" || len(live) == 0 {
		return live, nil
	}
	found, err := src.search(ctx, mp.SourceRaw, criterion)
	if err != nil {
		return nil, err
	}
	return live.Without(live.Without(found)), nil
}

// number fills in what a dry run tells of a folder.
func (r *accountRun) number(ctx context.Context, mp *Mapping) error {
	ss := r.src.status[mp.SourceRaw]
	if ss == nil {
		return nil
	}
	var c Check
	c.add(r.folders[mp.SourceRaw], ss)
	mp.Messages, mp.Bytes, mp.Remaining = c.Messages, c.Bytes, c.Remaining
	if r.m.opt.Limits.criterion(*mp) == "" || mp.Remaining == 0 {
		return nil
	}
	if _, err := r.src.open(ctx, mp.SourceRaw, true); err != nil {
		return err
	}
	live, err := r.src.search(ctx, mp.SourceRaw, "ALL")
	if err != nil {
		return err
	}
	taken, err := r.taken(ctx, r.src, *mp, live)
	if err != nil {
		return err
	}
	known, _, err := r.st.uids(mp.SourceRaw)
	mp.Remaining = taken.Without(known).Len()
	return err
}

// mapped renames flags of the source as the options say.
func (m *Migrator) mapped(flags []string) []string {
	if len(m.opt.Flags) == 0 {
		return flags
	}
	out := slices.Clone(flags)
	for i, f := range out {
		for from, to := range m.opt.Flags {
			if strings.EqualFold(from, f) {
				out[i] = to
			}
		}
	}
	return slices.DeleteFunc(out, func(f string) bool { return f == "" })
}

// quota brings the source's storage limit to the target. What the target does
// not let us set is reported.
func (r *accountRun) quota(ctx context.Context) error {
	if !r.m.opt.Quota || r.afterCutOver() {
		return nil
	}
	var from, to imapwire.Quota
	read := func(p *peer, q *imapwire.Quota) error {
		err := p.do("quota", "INBOX", func(c *imapwire.Client) (err error) {
			*q, err = c.Quota(ctx, "INBOX")
			return err
		})
		if p.lost() {
			return err
		}
		return nil
	}
	if err := read(r.src, &from); err != nil {
		return err
	}
	if err := read(r.dst, &to); err != nil {
		return err
	}
	if from.Limit < 0 || from.Limit == to.Limit {
		return nil
	}
	err := r.dst.do("quota", "INBOX", func(c *imapwire.Client) error { return c.SetQuota(ctx, to.Root, from.Limit) })
	if r.dst.lost() {
		return err
	}
	if err != nil {
		r.led.find("the source's limit of %s could not be set at the target: %v", humansize.Bytes(from.Limit<<10), err)
		return nil
	}
	r.led.find("the source's limit of %s was set at the target", humansize.Bytes(from.Limit<<10))
	return nil
}
