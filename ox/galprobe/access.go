package galprobe

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ox"
)

// UserAccess reads and sets the module permission on the global address book for
// the users of one context. [OXAccess] makes one from package ox.
type UserAccess interface {
	// Users lists the ids of all users but the administrator.
	Users(ctx context.Context) iter.Seq2[schoolmail.UserID, error]
	// BookOpen reports whether a user may see the global address book.
	BookOpen(ctx context.Context, user schoolmail.UserID) (bool, error)
	// CloseBook takes the permission from a user and leaves all others as they are.
	CloseBook(ctx context.Context, user schoolmail.UserID) error
}

// AccessOptions adjust [CheckAccess]. The zero value only looks.
type AccessOptions struct {
	// Close takes the permission from those who have it.
	Close bool

	// Exempt says who may have it, for instance teachers. Default: nobody.
	Exempt func(user schoolmail.UserID) bool
}

// AccessReport says who has the module permission on the global address book.
type AccessReport struct {
	Context schoolmail.ContextID `json:"context"`
	Users   int                  `json:"users"`             // without the administrator
	Exempt  int                  `json:"exempt"`            // not looked at
	Closed  int                  `json:"closed"`            // those who had it closed before
	Changed []schoolmail.UserID  `json:"changed,omitempty"` // user ids closed now
	Open    []schoolmail.UserID  `json:"open,omitempty"`    // user ids still open

	// Refusal is why OX refused to close one, usually because the account's
	// other permissions (such as editing public folders) exclude it.
	Refusal string `json:"refusal,omitempty"`
	// Error is why not all users could be looked at.
	Error    string `json:"error,omitempty"`
	Updating bool   `json:"updating,omitempty"` // because the database was being updated
}

// CheckAccess looks at every user of a context, new ones included, and closes the
// global address book for them if asked to. Run it after each provisioning run:
// a user made or copied by other means has the permission of the context's
// administrator. It costs one request per user, and one for each change.
//
// A permission that OX refuses to take away is reported in Open and does not stop
// the others. In a context whose gabMode is "global", OX accepts the change and
// ignores it; therefore each change is read back.
func CheckAccess(ctx context.Context, c schoolmail.ContextID, access UserAccess, opts *AccessOptions) (AccessReport,
	error) {
	var o AccessOptions
	if opts != nil {
		o = *opts
	}
	r := AccessReport{Context: c}
	fail := func(what string, err error) (AccessReport, error) {
		err = fmt.Errorf("galprobe: %s in context %d: %w", what, c, err)
		r.Error, r.Updating = err.Error(), errors.Is(err, schoolmail.ErrUpdating)
		return r, err
	}
	for user, err := range access.Users(ctx) {
		if err != nil {
			return fail("list users", err)
		}
		r.Users++
		if o.Exempt != nil && o.Exempt(user) {
			r.Exempt++
			continue
		}
		open, err := access.BookOpen(ctx, user)
		if err != nil {
			return fail(fmt.Sprintf("read access of user %d", user), err)
		}
		if !open {
			r.Closed++
			continue
		}
		if !o.Close {
			r.Open = append(r.Open, user)
			continue
		}
		if err := access.CloseBook(ctx, user); err != nil {
			if ctx.Err() != nil {
				return fail(fmt.Sprintf("set access of user %d", user), err)
			}
			r.Open = append(r.Open, user)
			r.Refusal = err.Error()
			continue
		}
		if open, err = access.BookOpen(ctx, user); err != nil {
			return fail(fmt.Sprintf("read access of user %d", user), err)
		}
		if open {
			r.Open = append(r.Open, user)
			r.Refusal = "accepted and ignored: the context's gabMode is global"
			continue
		}
		r.Changed = append(r.Changed, user)
	}
	return r, nil
}

// OXAccess is the [UserAccess] of a context over the provisioning API.
func OXAccess(c *ox.ContextClient) UserAccess { return oxAccess{c} }

type oxAccess struct{ c *ox.ContextClient }

func (a oxAccess) Users(ctx context.Context) iter.Seq2[schoolmail.UserID, error] {
	return func(yield func(schoolmail.UserID, error) bool) {
		admin, err := a.c.Users.Admin(ctx)
		if err != nil {
			yield(0, err)
			return
		}
		for id, err := range a.c.Users.IDs(ctx, nil) {
			if err == nil && id == admin.ID {
				continue
			}
			if !yield(id, err) || err != nil {
				return
			}
		}
	}
}

func (a oxAccess) BookOpen(ctx context.Context, user schoolmail.UserID) (bool, error) {
	have, err := a.c.Users.Access(ctx, ox.UserRef{ID: user})
	if err != nil {
		return false, err
	}
	return !have.Has(ox.AccessGlobalAddressBookDisabled), nil
}

func (a oxAccess) CloseBook(ctx context.Context, user schoolmail.UserID) error {
	ref := ox.UserRef{ID: user}
	have, err := a.c.Users.Access(ctx, ref)
	if err != nil {
		return err
	}
	return a.c.Users.SetAccess(ctx, ref, have.With(ox.AccessGlobalAddressBookDisabled))
}
