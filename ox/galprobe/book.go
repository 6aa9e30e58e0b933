package galprobe

import (
	"errors"
	"fmt"
	"time"

	"github.com/ictmedia/schoolmail/ox/appsuite"
)

// BookFinding says whether an address book made for an account is readable and
// not writable.
type BookFinding struct {
	Verdict Verdict `json:"verdict"` // Closed: as it should be; Open: can be written; Failed: cannot be read or asked
	Reason  string  `json:"reason"`
	Rights  string  `json:"rights,omitempty"` // of the account, as the folder says
	Entries int     `json:"entries"`
	Calls   []Call  `json:"calls"`
}

// book looks for the address book of that title, reads it and tries to change
// it. The attempts to change and to delete carry an old timestamp, so that they
// do nothing even if they are allowed; an entry that could be created is
// deleted at once.
func (p *prober) book(title string) *BookFinding {
	b := &BookFinding{Verdict: Failed}
	note := func(request string, rows int, err error) {
		c := Call{Time: time.Now().UTC(), Request: request, Status: 200, Rows: rows}
		if e, ok := errors.AsType[*appsuite.Error](err); ok {
			c.Status, c.Code = e.Status, e.Code
		}
		b.Calls = append(b.Calls, c)
	}
	var folder *appsuite.Folder
	for f, err := range p.session.VisibleFolders(p.ctx) {
		if err != nil {
			note("GET folders?action=allVisible", 0, err)
			b.Reason = err.Error()
			return b
		}
		if f.Title == title && f.Type == appsuite.PublicType {
			folder = &f
			break
		}
	}
	note("GET folders?action=allVisible", 0, nil)
	if folder == nil {
		b.Reason = "the address book is not visible"
		return b
	}
	b.Rights = folder.OwnRights.String()
	contacts, err := appsuite.Collect(p.session.Contacts(p.ctx, folder.ID))
	note("GET contacts?action=all&folder="+string(folder.ID), len(contacts), err)
	if err != nil {
		b.Reason = err.Error()
		return b
	}
	b.Entries = len(contacts)
	if len(contacts) == 0 {
		b.Reason = "the address book is empty"
		return b
	}
	const old appsuite.Timestamp = 1
	first := contacts[0].ID
	_, changed := p.session.UpdateContact(p.ctx, appsuite.UpdateContact{Folder: folder.ID, ID: first, Timestamp: old,
		Fields: appsuite.Fields{appsuite.Note: "galprobe"}})
	note("PUT contacts?action=update&folder="+string(folder.ID), 0, changed)
	deleted := p.session.DeleteContacts(p.ctx, folder.ID, old, first)
	note("PUT contacts?action=delete", 0, deleted)
	id, ts, created := p.session.CreateContact(p.ctx, appsuite.CreateContact{Folder: folder.ID,
		Fields: appsuite.Fields{appsuite.DisplayName: "galprobe"}})
	note("PUT contacts?action=new", 0, created)
	if created == nil {
		err := p.session.DeleteContacts(p.ctx, folder.ID, ts, id)
		note("PUT contacts?action=delete", 0, err)
	}
	var can []string
	for _, t := range []struct {
		what string
		err  error
	}{{"change", changed}, {"delete", deleted}, {"create", created}} {
		switch {
		case t.err == nil || errors.Is(t.err, appsuite.ErrConflict):
			can = append(can, t.what)
		case !errors.Is(t.err, appsuite.ErrPermission):
			b.Reason = t.err.Error()
			return b
		}
	}
	switch {
	case len(can) > 0:
		b.Verdict, b.Reason = Open, fmt.Sprintf("the account can %v entries", can)
	case folder.OwnRights != appsuite.ReadOnly():
		b.Verdict, b.Reason = Open, "the account's rights are "+b.Rights+", not read only"
	default:
		b.Verdict, b.Reason = Closed, count(b.Entries, "entry", "entries")+" can be read and not written"
	}
	return b
}
