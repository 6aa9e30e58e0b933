package appsuite

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// ContentReader reads what users own, to compare a copy of a user with its source. It
// logs in as the user, by whatever way the site grants: a master login or a token.
// Only the modules whose calls are confirmed are looked at: folders and contacts.
// Calendar, tasks and files are not.
type ContentReader struct {
	Client *Client
	// Credentials gives the login as a user; an error if there is no way.
	Credentials func(schoolmail.Place) (Credentials, error)
}

// digested are the fields of a contact that a copy must have as its source.
var digested = []Column{DisplayName, GivenName, FamilyName, Email1, PhoneBusiness1, Birthday, Note}

// Contents returns what a user owns, by what it is, in a form to be compared, and
// what a copy of the user would not carry. A context whose schema stays locked is
// [schoolmail.ErrUpdating].
func (r *ContentReader) Contents(ctx context.Context, p schoolmail.Place) (owns map[string]string, lost []string,
	err error) {
	cred, err := r.Credentials(p)
	if err != nil {
		return nil, nil, &Error{Op: "read contents", Kind: ErrLogin, Err: err}
	}
	s, err := r.Client.Login(ctx, cred)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = s.Logout(context.WithoutCancel(ctx)) }()
	if s.Context() != p.Context || s.UserID() != p.UserID {
		return nil, nil, &Error{Op: "read contents", Kind: ErrLogin, Err: errors.New("the login leads to somebody else")}
	}
	folders, contacts, lists, shared, foreign := 0, 0, 0, 0, 0
	var lines []string
	for f, err := range s.VisibleFolders(ctx) {
		switch {
		case err != nil:
			return nil, nil, err
		case f.CreatedBy != p.UserID:
			continue
		case f.Type != PrivateType:
			foreign++ // of his making, and nobody's own
			continue
		}
		folders++
		if len(f.Permissions) > 1 {
			shared++
		}
		for c, err := range s.Contacts(ctx, f.ID, digested...) {
			switch {
			case err != nil:
				return nil, nil, err
			case c.List:
				lists++
			default:
				contacts++
				lines = append(lines, f.Title+"\x00"+c.digest())
			}
		}
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	owns = map[string]string{
		"contact folders":    fmt.Sprint(folders),
		"contacts":           fmt.Sprint(contacts),
		"distribution lists": fmt.Sprint(lists),
		"digest of contacts": hex.EncodeToString(sum[:8]),
	}
	if shared > 0 {
		lost = append(lost, fmt.Sprintf("shares of %d private folders of contacts", shared))
	}
	if foreign > 0 {
		lost = append(lost, fmt.Sprintf("%d public folders of contacts that the user has made", foreign))
	}
	return owns, lost, nil
}

// digest is a contact's fields as one text.
func (c *Contact) digest() string {
	var b strings.Builder
	for _, col := range digested {
		b.WriteString(c.Fields[col] + "\x00")
	}
	return b.String()
}
