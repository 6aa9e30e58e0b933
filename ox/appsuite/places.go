package appsuite

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/ictmedia/schoolmail"
)

// PlaceReader reads the users of contexts for the planner: one request for all
// users of a context, three more to log in, to see where that led, and to log out,
// and some 200 bytes per user instead of the 23 KB of SOAP. It logs in as the
// context's administrator, who must be allowed to see the global address book,
// or OX keeps the login names back; that is an error.
//
// The values are those of SOAP with one exception: the HTTP API does not tell who
// has mail switched off, so everybody counts as having it.
type PlaceReader struct {
	Client *Client
	// Credentials gives the login of a context's administrator, with the context's
	// name or another login mapping: "oxadmin@school10".
	Credentials func(schoolmail.ContextID) (Credentials, error)
}

// Places lists all users of a context. A context whose schema stays locked is
// [schoolmail.ErrUpdating].
func (r *PlaceReader) Places(ctx context.Context, id schoolmail.ContextID) iter.Seq2[schoolmail.Place, error] {
	return func(yield func(schoolmail.Place, error) bool) {
		fail := func(err error) { yield(schoolmail.Place{}, r.wrap(id, err)) }
		cred, err := r.Credentials(id)
		if err != nil {
			fail(&Error{Kind: ErrLogin, Err: err})
			return
		}
		session, err := r.Client.Login(ctx, cred)
		if err != nil {
			fail(err)
			return
		}
		defer func() { _ = session.Logout(context.WithoutCancel(ctx)) }()
		me, err := session.Me(ctx)
		if err != nil {
			fail(err)
			return
		}
		if me.Context != id {
			fail(&Error{Kind: ErrLogin, Err: fmt.Errorf("the login leads into context %d", me.Context)})
			return
		}
		for u, err := range session.Users(ctx) {
			if err != nil {
				fail(err)
				return
			}
			if u.Login == "" {
				fail(&Error{Kind: ErrPermission,
					Err: errors.New("login names are kept back: the administrator cannot see the global address book")})
				return
			}
			p := schoolmail.Place{Context: id, UserID: u.ID, Username: u.Login, Mail: u.Mail, DisplayName: u.DisplayName,
				GivenName: u.GivenName, FamilyName: u.FamilyName, MailEnabled: true, Admin: u.ID == me.Admin}
			if !yield(p, nil) {
				return
			}
		}
	}
}

// wrap says what was to be done where; the kind is that of the cause.
func (r *PlaceReader) wrap(id schoolmail.ContextID, err error) error {
	e := &Error{Op: "read users", Subject: fmt.Sprintf("context %d", id), Kind: ErrOther, Err: err}
	if cause, ok := errors.AsType[*Error](err); ok {
		e.Kind = cause.Kind
		if cause.Op == "" {
			e.Err = cause.Err
		}
	}
	return e
}
