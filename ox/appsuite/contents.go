package appsuite

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// ContentReader reads what users own, to compare a copy of a user with its source:
// how many private folders, contacts, distribution lists, appointments, tasks and files
// there are, with digests of them. It logs in as the user, by whatever way the site
// grants: a master login or a token. It takes four requests per user.
type ContentReader struct {
	Client *Client
	// Credentials gives the login as a user; an error if there is no way.
	Credentials func(schoolmail.Place) (Credentials, error)
}

// digested are the fields of a contact that a copy must have as its source.
var digested = []Column{DisplayName, GivenName, FamilyName, Email1, PhoneBusiness1, Birthday, Note}

// contentModule is a module as its contents are read.
type contentModule struct {
	capability string // that the user needs; with it the module counts as one of his
	content    string // type of its folders
	name       string // of the items, in the plural
	// list asks for the items of a folder.
	list func(FolderID) (*Request, error)
	// items gives a text for each item.
	items func(*Request, json.RawMessage) ([]string, error)
}

// allTime is a range that all appointments lie in.
var allTime = url.Values{"rangeStart": {"19700101T000000Z"}, "rangeEnd": {"21000101T000000Z"},
	"fields": {"id,folder,summary,startDate,endDate,rrule"}, "expand": {"false"}}

// The modules beside contacts, by the documented calls of the HTTP API (files by the
// module that has the older name, infostore).
var contentModules = []contentModule{
	{"calendar", "event", "appointments", func(f FolderID) (*Request, error) {
		params := url.Values{"folder": {string(f)}}
		for k, v := range allTime {
			params[k] = v
		}
		return &Request{Module: "chronos", Action: "all", Params: params}, nil
	}, eventTexts},
	{"tasks", "tasks", "tasks", func(f FolderID) (*Request, error) { // title, start, end, note
		return rowsOf("tasks", f, []int{200, 201, 202, 203}), nil
	}, rowTexts(4)},
	{"infostore", "infostore", "files", func(f FolderID) (*Request, error) { // name, size, checksum
		return rowsOf("infostore", f, []int{702, 704, 708}), nil
	}, rowTexts(3)},
}

func rowsOf(module string, f FolderID, columns []int) *Request {
	return &Request{Module: module, Action: "all", Params: url.Values{"folder": {string(f)},
		"columns": {columnList(columns)}}}
}

// rowTexts reads packed rows of so many cells.
func rowTexts(width int) func(*Request, json.RawMessage) ([]string, error) {
	return func(rq *Request, data json.RawMessage) ([]string, error) {
		rows, err := parseRows(data, width)
		if err != nil {
			return nil, protocolError(rq, err)
		}
		texts := make([]string, len(rows))
		for i, row := range rows {
			for _, cell := range row {
				texts[i] += string(cell) + "\x00"
			}
		}
		return texts, nil
	}
}

func eventTexts(rq *Request, data json.RawMessage) ([]string, error) {
	var events []struct {
		Summary            string
		StartDate, EndDate struct{ Value, TZID string }
		RRule              string
	}
	if err := json.Unmarshal(data, &events); err != nil {
		return nil, protocolError(rq, errNotJSON)
	}
	texts := make([]string, len(events))
	for i, e := range events {
		texts[i] = strings.Join([]string{e.Summary, e.StartDate.Value, e.EndDate.Value, e.RRule}, "\x00")
	}
	return texts, nil
}

// contents is what was found of one user.
type contents struct {
	owns         map[string]string
	lost, unread []string
}

// Contents returns what a user owns, by what it is, in a form to be compared, what a
// copy of the user would not carry, and what could not be read, with the reason. A
// context whose schema stays locked is [schoolmail.ErrUpdating].
func (r *ContentReader) Contents(ctx context.Context, p schoolmail.Place) (owns map[string]string,
	lost, unread []string, err error) {
	cred, err := r.Credentials(p)
	if err != nil {
		return nil, nil, nil, &Error{Op: "read contents", Kind: ErrLogin, Err: err}
	}
	s, err := r.Client.Login(ctx, cred)
	if err != nil {
		return nil, nil, nil, err
	}
	defer func() { _ = s.Logout(context.WithoutCancel(ctx)) }()
	if s.Context() != p.Context || s.UserID() != p.UserID {
		return nil, nil, nil, &Error{Op: "read contents", Kind: ErrLogin,
			Err: errors.New("the login leads to somebody else")}
	}
	c := &contents{owns: map[string]string{}}
	if err := c.read(ctx, s, p.UserID); err != nil {
		return nil, nil, nil, err
	}
	return c.owns, c.lost, c.unread, nil
}

// read asks for what the user may do and for the folders of all modules, and then for
// what is in them.
func (c *contents) read(ctx context.Context, s *Session, user schoolmail.UserID) error {
	asked := []*Request{{Module: "capabilities", Action: "all"}, visibleFolders("contacts")}
	for _, m := range contentModules {
		asked = append(asked, visibleFolders(m.content))
	}
	answers, err := s.multiple(ctx, asked, true)
	if err != nil {
		return err
	}
	granted, err := capabilityNames(asked[0], answers[0])
	if err != nil {
		return err
	}
	contacts, err := c.folders(asked[1], answers[1], "contacts", user)
	if err != nil {
		return err
	}
	var requests []*Request
	var read []func(*Request, answer) error
	list := &contactList{}
	finish := []func(){func() { list.into(c, len(contacts)) }}
	for _, f := range contacts {
		rq, err := contactsRequest(f.ID, digested)
		if err != nil {
			return err
		}
		requests = append(requests, rq)
		read = append(read, func(rq *Request, a answer) error { return list.add(f, rq, a) })
	}
	for i, m := range contentModules {
		if !slices.Contains(granted, m.capability) {
			c.unread = append(c.unread, m.name+": the user may not use the module")
			continue
		}
		folders, err := c.folders(asked[2+i], answers[2+i], m.name, user)
		if err != nil {
			c.unread = append(c.unread, fmt.Sprintf("%s: %v", m.name, err))
			continue
		}
		items := &itemList{module: m}
		for _, f := range folders {
			rq, err := m.list(f.ID)
			if err != nil {
				return err
			}
			requests = append(requests, rq)
			read = append(read, func(rq *Request, a answer) error { items.add(f, rq, a); return nil })
		}
		finish = append(finish, func() { items.into(c, len(folders)) })
	}
	if len(requests) > 0 {
		if answers, err = s.multiple(ctx, requests, true); err != nil {
			return err
		}
	}
	for i, do := range read {
		if err := do(requests[i], answers[i]); err != nil {
			return err
		}
	}
	for _, do := range finish {
		do()
	}
	return nil
}

// capabilityNames reads what the account may use.
func capabilityNames(rq *Request, a answer) ([]string, error) {
	if a.err != nil {
		return nil, a.err
	}
	var all []struct{ ID string }
	if err := json.Unmarshal(a.resp.Data, &all); err != nil {
		return nil, protocolError(rq, errNotJSON)
	}
	names := make([]string, len(all))
	for i, x := range all {
		names[i] = x.ID
	}
	return names, nil
}

const (
	userFiles          FolderID   = "10" // above everybody's own files
	trash              FolderType = 16
	publicFolderNotice            = "%d public folders of %s that the user has made"
)

// folders are those of the user's own that a copy carries. What else the user has made,
// and who else may look into them, goes to what is lost.
func (c *contents) folders(rq *Request, a answer, name string, user schoolmail.UserID) (own []Folder, err error) {
	if a.err != nil {
		return nil, a.err
	}
	shared, foreign := 0, 0
	mine := map[FolderID]bool{userFiles: true}
	yieldVisible(rq, a.resp.Data, func(f Folder, e error) bool {
		switch {
		case e != nil:
			err = e
			return false
		case f.CreatedBy != user || f.Type == trash:
		case f.Type == PrivateType, name == "files" && mine[f.Parent.Plain()]:
			mine[f.ID.Plain()] = true
			own = append(own, f)
			if len(f.Permissions) > 1 {
				shared++
			}
		case f.Type == PublicType:
			foreign++ // of his making, and nobody's own
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	if shared > 0 {
		c.lost = append(c.lost, fmt.Sprintf("shares of %d private folders of %s", shared, name))
	}
	if foreign > 0 {
		c.lost = append(c.lost, fmt.Sprintf(publicFolderNotice, foreign, name))
	}
	return own, nil
}

// contactList collects the contacts of a user.
type contactList struct {
	contacts, lists int
	lines           []string
}

func (l *contactList) add(f Folder, rq *Request, a answer) error {
	if a.err != nil {
		return a.err
	}
	var failed error
	yieldContacts(rq, a.resp.Data, digested, func(c Contact, err error) bool {
		switch {
		case err != nil:
			failed = err
			return false
		case c.List:
			l.lists++
		default:
			l.contacts++
			l.lines = append(l.lines, f.Title+"\x00"+c.digest())
		}
		return true
	})
	return failed
}

func (l *contactList) into(c *contents, folders int) {
	c.owns["contact folders"] = fmt.Sprint(folders)
	c.owns["contacts"] = fmt.Sprint(l.contacts)
	c.owns["distribution lists"] = fmt.Sprint(l.lists)
	c.owns["digest of contacts"] = digestOf(l.lines)
}

// itemList collects what a user has in another module.
type itemList struct {
	module contentModule
	lines  []string
	err    error // the first that kept a folder from being read
}

func (l *itemList) add(f Folder, rq *Request, a answer) {
	err := a.err
	var texts []string
	if err == nil {
		texts, err = l.module.items(rq, a.resp.Data)
	}
	l.err = cmp.Or(l.err, err)
	title := f.Title
	if f.Standard {
		title = "" // in whatever language
	}
	for _, t := range texts {
		l.lines = append(l.lines, t+"\x00"+title)
	}
}

func (l *itemList) into(c *contents, folders int) {
	if l.err != nil {
		c.unread = append(c.unread, fmt.Sprintf("%s: %v", l.module.name, l.err))
		return
	}
	c.owns["folders of "+l.module.name] = fmt.Sprint(folders)
	c.owns[l.module.name] = fmt.Sprint(len(l.lines))
	c.owns["digest of "+l.module.name] = digestOf(l.lines)
}

// digestOf is a short sum of lines in whatever order.
func digestOf(lines []string) string {
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return hex.EncodeToString(sum[:8])
}

// digest is a contact's fields as one text.
func (c *Contact) digest() string {
	var b strings.Builder
	for _, col := range digested {
		b.WriteString(c.Fields[col] + "\x00")
	}
	return b.String()
}
