package galprobe

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ox/appsuite"
)

// observation is what an account got on one path. Rows of the account itself are
// left out. Numbers are those of the call that gave most.
type observation struct {
	book   int             // entries that come from the global address book
	listed int             // entries of lists that OX gives to everybody
	fields map[string]bool // fields filled for other people
	calls  []Call
	absent int   // calls that this server does not offer
	failed error // a call that could not be asked
}

func (o *observation) rows() int { return max(o.book, o.listed) }

// harmless are fields that say nothing about a person beyond that they exist.
var harmless = map[string]bool{
	"id": true, "user_id": true, "contact_id": true, "folder_id": true, "created_by": true, "modified_by": true,
	"creation_date": true, "last_modified": true, "last_modified_utc": true, "uid": true, "mark_as_distributionlist": true,
	"number_of_distribution_list": true, "private_flag": true, "color_label": true, "number_of_attachments": true,
	"number_of_images": true, "useCount": true, "sort_name": true, "file_as": true, "guest_created_by": true,
	"groups":   true,
	"timezone": true, "locale": true,
}

// nameFields are those that OX shows of everybody when the global address book
// is closed.
var nameFields = map[string]bool{
	"display_name": true, "first_name": true, "last_name": true, "second_name": true, "suffix": true, "email1": true,
	"group name": true, "group members": true,
}

// beyondNames reports whether fields go further than names and primary address.
func (o *observation) beyondNames() bool {
	for f := range o.fields {
		if !nameFields[f] {
			return true
		}
	}
	return false
}

func (o *observation) note(field string, value json.RawMessage) {
	switch strings.TrimSpace(string(value)) {
	case "", "null", `""`, "[]", "{}", "false", "0":
		return
	}
	if !harmless[field] {
		o.fields[field] = true
	}
}

// refusedKind says whether an error is OX's answer to the question, as opposed to
// a question that did not get through.
func refusedKind(e *appsuite.Error) bool {
	switch e.Kind {
	case appsuite.ErrPermission, appsuite.ErrNotFound, appsuite.ErrInvalid, appsuite.ErrQuota:
		return true
	case appsuite.ErrOther:
		return e.Code != "" // an error of OX, not of the server below
	}
	return false
}

// absent says whether the server does not know a call. A portrait that does not
// exist is answered like an unknown module.
func absent(module string, e *appsuite.Error) bool {
	switch e.Code {
	case "SVL-0001", "SVL-0006", "SVL-0007":
		return true
	}
	return e.Code == "" && e.Status == http.StatusNotFound && module != portraitModule
}

// asker makes calls for one account and keeps what came.
type asker struct {
	p    *prober
	self identity
	o    *observation
}

// describe is a call as it stands in the evidence. Addresses are hidden.
func describe(method, module, action string, params url.Values) string {
	q := url.Values{}
	if action != "" {
		q.Set("action", action)
	}
	for k, v := range params {
		q[k] = v
		if strings.HasPrefix(k, "email") && k != "email" || k == "email" && strings.Contains(v[0], "@") {
			q[k] = []string{"[address]"}
		}
	}
	s := method + " " + module
	if len(q) > 0 {
		s += "?" + strings.ReplaceAll(q.Encode(), "%2C", ",")
	}
	return s
}

// call asks and returns the answer; nil if there is none to look at.
func (a *asker) call(module, action string, params url.Values, body any) *appsuite.Response {
	return a.do(appsuite.Request{Module: module, Action: action, Params: params, Body: body, ReadOnly: true})
}

func (a *asker) do(rq appsuite.Request) *appsuite.Response {
	method := rq.Method
	if method == "" {
		method = http.MethodGet
		if rq.Body != nil {
			method = http.MethodPut
		}
	}
	c := Call{Time: time.Now().UTC(), Request: describe(method, rq.Module, rq.Action, rq.Params)}
	resp, err := a.p.session.Do(a.p.ctx, rq)
	if resp != nil {
		c.Status = resp.Status
	}
	defer func() { a.o.calls = append(a.o.calls, c) }()
	if err == nil {
		return resp
	}
	e, ok := errors.AsType[*appsuite.Error](err)
	if ok {
		c.Code = e.Code
		if c.Status == 0 {
			c.Status = e.Status
		}
	}
	switch {
	case ok && absent(rq.Module, e):
		a.o.absent++
	case ok && refusedKind(e):
	case ok && rq.Module == "export" && e.Status == http.StatusInternalServerError:
		// OX's way to refuse an export.
	default:
		if a.o.failed == nil {
			a.o.failed = err
		}
	}
	return nil
}

// add counts rows of others for the last call.
func (a *asker) add(n int, book bool) {
	if n == 0 {
		return
	}
	a.o.calls[len(a.o.calls)-1].Rows += n
	if book {
		a.o.book = max(a.o.book, n)
	} else {
		a.o.listed = max(a.o.listed, n)
	}
}

// cell reads a cell that is a text or a number.
func cell(raw json.RawMessage) string { return strings.Trim(string(raw), `"`) }

// isBook reports whether a folder id is that of the global address book.
func isBook(folder string) bool {
	return appsuite.FolderID(folder).Same(appsuite.GlobalAddressBook)
}

// bookRows counts the rows of a list of contacts that are entries of other
// people in the global address book. columns begins with 1,20,524.
func (a *asker) bookRows(resp *appsuite.Response, columns []column) {
	n := 0
	for _, row := range a.rows(resp, len(columns)) {
		if !isBook(cell(row[1])) || a.self.is(cell(row[2]), cell(row[0])) {
			continue
		}
		n++
		for i, c := range columns {
			a.o.note(c.name, row[i])
		}
	}
	a.add(n, true)
}

// listRows counts rows of other people in a list of users, whose first column is
// the user's id.
func (a *asker) listRows(resp *appsuite.Response, columns []column) {
	n := 0
	for _, row := range a.rows(resp, len(columns)) {
		if cell(row[0]) == decimal(a.self.user) {
			continue
		}
		n++
		for i, c := range columns {
			a.o.note(c.name, row[i])
		}
	}
	a.add(n, false)
}

func (a *asker) rows(resp *appsuite.Response, width int) [][]json.RawMessage {
	if resp == nil {
		return nil
	}
	rows, _, err := appsuite.Rows(resp.Data, width)
	if err != nil {
		a.unexpected()
		return nil
	}
	return rows
}

// unexpected notes that the last answer cannot be read: it proves nothing.
func (a *asker) unexpected() {
	if a.o.failed == nil {
		a.o.failed = errors.New("galprobe: unexpected form of answer to " + a.o.calls[len(a.o.calls)-1].Request)
	}
}

// objects counts the entries of other people in any JSON value: objects that
// have a user's id or lie in the global address book. With book set only the
// latter count.
func (a *asker) objects(data json.RawMessage, book bool) {
	n := 0
	var walk func(raw json.RawMessage)
	walk = func(raw json.RawMessage) {
		var list []json.RawMessage
		if json.Unmarshal(raw, &list) == nil {
			for _, v := range list {
				walk(v)
			}
			return
		}
		var o map[string]json.RawMessage
		if json.Unmarshal(raw, &o) != nil {
			return
		}
		inBook := isBook(cell(o["folder_id"]))
		user := cell(o["user_id"])
		if user == "" && o["contact_id"] != nil {
			user = cell(o["id"]) // of the module user
		}
		if (inBook || (!book && user != "" && user != "0")) && !a.self.is(user, cell(o["id"])) {
			n++
			for k, v := range o {
				a.o.note(k, v)
			}
			return
		}
		for _, v := range o {
			walk(v)
		}
	}
	walk(data)
	a.add(n, book)
}

// identity is who an account is.
type identity struct {
	user    schoolmail.UserID
	contact string // id of the own entry in the global address book
}

// is reports whether a row is the account's own entry: by user id if the row
// has one, else by the entry's id.
func (id identity) is(user, contact string) bool {
	if user != "" && user != "0" && user != "null" {
		return user == decimal(id.user)
	}
	return id.contact != "" && contact == id.contact
}

// decimal is how OX writes an id in a parameter.
func decimal(id schoolmail.UserID) string { return strconv.Itoa(int(id)) }
