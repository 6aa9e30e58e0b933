package ox

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ox/internal/oxusercopy"
)

// ContentReader reads what a user owns in the modules, by a way that the site
// grants; appsuite.ContentReader is one. owns says by what it is what there is, in a
// form that is compared as it stands; lost is what a copy would not carry, and unread
// says what could not be looked at, and why.
type ContentReader interface {
	Contents(ctx context.Context, p schoolmail.Place) (owns map[string]string, lost, unread []string, err error)
}

// Verification is what is known of a copy that was compared with its source.
type Verification struct {
	From, To schoolmail.Place
	// Compared is what was compared beyond the account itself, with the values on
	// both sides, which are the same. Empty if nothing could be read.
	Compared map[string]string
	// NotVerified says why nothing or not everything could be read; empty: all was.
	NotVerified string
	// Lost is what the copy does not have of its source, as far as can be seen.
	Lost []string
}

// alwaysLost is what no copy carries (seen on 8.19, and in the public documentation
// of the copy tool).
var alwaysLost = []string{"settings of the web interface", "shares and share links",
	"content of public and shared folders"}

// VerifyCopy compares what can be seen of a copy with its source: names, addresses,
// contact data, settings, attributes, and access, which must be the source's or
// that of a named combination (a copy whose access was never set has neither); and,
// with a [ContentReader] among the options, what the user owns. A difference is
// [ErrCopyDiffers], and what can be read of the source and not of the copy is an
// error. If the source's contents cannot be read that is no error: the
// [Verification] that the options' Observer gets says so. The provisioning API
// itself does not show the data in the modules, nor count them.
func (g *Groupware) VerifyCopy(ctx context.Context, from, to schoolmail.Place) error {
	source, err := g.context("verify copy", from.Context)
	if err != nil {
		return err
	}
	target, err := g.context("verify copy", to.Context)
	if err != nil {
		return err
	}
	differs, err := accountDiffers(ctx, source, target, from, to)
	if err != nil {
		return err
	}
	v := Verification{From: from, To: to, Lost: slices.Clone(alwaysLost)}
	for group, err := range source.Groups.OfUser(ctx, UserRef{ID: from.UserID}) {
		if err != nil {
			return err
		}
		if group.ID > DefaultGroup {
			v.Lost = append(v.Lost, "membership in group "+group.Name)
		}
	}
	other, err := g.contentsDiffer(ctx, &v)
	if err != nil {
		return err
	}
	if differs = append(differs, other...); len(differs) > 0 {
		slices.Sort(differs)
		return &Error{Op: "verify copy", Context: to.Context, Subject: to.Username, Kind: ErrCopyDiffers,
			Message: strings.Join(differs, ", "), NotDone: true}
	}
	g.tell(Event{Reason: Compared, Context: to.Context, Verification: &v})
	return nil
}

// accountDiffers lists in what two accounts differ as the provisioning API shows them.
func accountDiffers(ctx context.Context, source, target *ContextClient, from, to schoolmail.Place) ([]string, error) {
	a, err := source.Users.Get(ctx, UserRef{ID: from.UserID})
	if err != nil {
		return nil, err
	}
	b, err := target.Users.Get(ctx, UserRef{ID: to.UserID})
	if err != nil {
		return nil, err
	}
	differs := CopyDifferences(a, b)
	name, err := target.Users.AccessName(ctx, UserRef{ID: b.ID})
	if err != nil || name != "" {
		return differs, err
	}
	had, err := source.Users.Access(ctx, UserRef{ID: a.ID})
	if err != nil {
		return nil, err
	}
	has, err := target.Users.Access(ctx, UserRef{ID: b.ID})
	if err == nil && !sameForUser(has, had) {
		differs = append(differs, "Access")
	}
	return differs, err
}

// contentsDiffer compares what both users own, and notes in v what it could see.
func (g *Groupware) contentsDiffer(ctx context.Context, v *Verification) ([]string, error) {
	if g.opt.Contents == nil {
		v.NotVerified = "contents cannot be read: no login as a user is configured"
		return nil, nil
	}
	had, lost, unread, err := g.opt.Contents.Contents(ctx, v.From)
	switch {
	case err == nil:
	case ctx.Err() != nil, errors.Is(err, schoolmail.ErrUpdating):
		return nil, readerError(ctx, v.From.Context, err)
	default:
		v.NotVerified = fmt.Sprintf("contents cannot be read: %v", err)
		return nil, nil
	}
	v.Lost = append(v.Lost, lost...)
	has, _, unreadCopy, err := g.opt.Contents.Contents(ctx, v.To)
	if err != nil {
		return nil, readerError(ctx, v.To.Context, err)
	}
	for _, u := range unreadCopy {
		if !slices.Contains(unread, u) {
			unread = append(unread, "in the copy "+u)
		}
	}
	v.Compared, v.NotVerified = maps.Clone(had), strings.Join(unread, "; ")
	var differs []string
	for _, what := range slices.Sorted(maps.Keys(had)) {
		_, read := has[what]
		switch {
		case !read && len(unreadCopy) > 0:
			delete(v.Compared, what)
		case has[what] != had[what]:
			differs = append(differs, fmt.Sprintf("%s: %s in the source, %s in the copy", what, had[what], has[what]))
		}
	}
	return differs, nil
}

// CanCopy reports whether the servers have the service that copies users, which is an
// extra package and deprecated by its maker since 7.10.5. A server that cannot be
// asked is an error.
func (g *Groupware) CanCopy(ctx context.Context) (bool, error) {
	k := call{name: "look for the copy service", op: oxusercopy.OpCopyUser}
	err := g.c.copyAvailable(ctx, &k)
	if is(err, ErrNoService) {
		return false, nil
	}
	return err == nil, err
}

// CloseCopy switches mail off in a user's old copy and, where OX authenticates by
// itself, keeps him from logging in there; open undoes it. The password stays what
// it is, so that a transfer that is taken back leaves no trace. Gone already is
// success; another login name under the id is [ErrNotTheSame].
func (g *Groupware) CloseCopy(ctx context.Context, p schoolmail.Place, open bool) error {
	cc, err := g.context("close copy", p.Context)
	if err != nil {
		return err
	}
	u, err := cc.Users.Get(ctx, UserRef{ID: p.UserID})
	switch {
	case is(err, ErrNoSuchUser):
		return nil
	case err != nil:
		return err
	case u.Name != p.Username || u.ContextAdmin:
		return &Error{Op: "close copy", Context: p.Context, Subject: p.Username, Kind: ErrNotTheSame,
			Message: fmt.Sprintf("id %d belongs to %q", p.UserID, u.Name), NotDone: true}
	case u.MailEnabled == open:
		return nil
	}
	return cc.Users.Change(ctx, UserRef{ID: u.ID, Name: u.Name}, UserChange{MailEnabled: &open})
}
