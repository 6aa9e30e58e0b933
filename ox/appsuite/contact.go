package appsuite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ictmedia/schoolmail"
)

// ContactID is the number of a contact within its context, as text.
type ContactID string

// Fields are the fields of a contact. A field that is absent and one that is ""
// mean the same when read; in an update "" clears the field and an absent one
// keeps it.
type Fields map[Column]string

// Contact is a contact or, if List is set, a distribution list.
type Contact struct {
	ID        ContactID
	Folder    FolderID
	Modified  Timestamp
	CreatedBy schoolmail.UserID
	UserID    schoolmail.UserID // the user this entry stands for; 0 for ordinary contacts
	Fields    Fields
	List      bool
	Members   []Member // of a distribution list, if asked for
}

// Member is an entry of a distribution list: an address of its own, or
// (MailField 1 to 3) one of the three addresses of a contact.
type Member struct {
	DisplayName string
	Mail        string
	MailField   int // 0: Mail stands for itself
	Contact     ContactID
	Folder      FolderID
}

type jsonMember struct {
	ID          flexString `json:"id,omitempty"`
	Folder      flexString `json:"folder_id,omitempty"`
	DisplayName flexString `json:"display_name,omitempty"`
	Mail        flexString `json:"mail,omitempty"`
	MailField   flexInt    `json:"mail_field"`
}

func membersFrom(in []jsonMember) []Member {
	var out []Member
	for _, m := range in {
		out = append(out, Member{string(m.DisplayName), string(m.Mail), int(m.MailField), ContactID(m.ID),
			FolderID(m.Folder)})
	}
	return out
}

func membersTo(in []Member) []jsonMember {
	out := make([]jsonMember, 0, len(in))
	for _, m := range in {
		j := jsonMember{DisplayName: flexString(m.DisplayName), Mail: flexString(m.Mail), MailField: flexInt(m.MailField)}
		if m.MailField != 0 {
			j.ID, j.Folder = flexString(m.Contact), flexString(m.Folder)
		}
		out = append(out, j)
	}
	return out
}

// Columns that every list of contacts asks for, in the order contactRow reads them.
var contactColumns = []int{1, 20, 2, 5, 524, 602}

const dateFormat = "2006-01-02"

// columnNumbers checks cols and returns the numbers to ask for.
func columnNumbers(rq *Request, cols []Column) (string, error) {
	numbers := slices.Clone(contactColumns)
	for _, c := range cols {
		info, ok := columnsByName[c]
		if !ok || info.kind == managedColumn {
			return "", invalid(rq, fmt.Errorf("%q is not a column to ask for", string(c)))
		}
		numbers = append(numbers, info.number)
	}
	return columnList(numbers), nil
}

func contactRow(cells []json.RawMessage, cols []Column) (Contact, error) {
	r := rowReader{cells: cells}
	c := Contact{Fields: Fields{}}
	c.ID = ContactID(r.text())
	c.Folder = FolderID(r.text())
	c.CreatedBy = schoolmail.UserID(r.number())
	c.Modified = Timestamp(r.number())
	c.UserID = schoolmail.UserID(r.number())
	c.List = r.flag()
	for _, col := range cols {
		cell := r.next()
		if err := c.set(columnsByName[col], cell); err != nil && r.err == nil {
			r.err = err
		}
	}
	if r.err == nil && (c.ID == "" || c.Folder == "") {
		r.err = errRow
	}
	return c, r.err
}

// set stores a value as OX writes it.
func (c *Contact) set(info columnInfo, v json.RawMessage) error {
	if info.kind == structColumn {
		var m []jsonMember
		if err := json.Unmarshal(v, &m); err != nil {
			return fmt.Errorf("%w: members of a distribution list", errRow)
		}
		c.Members = membersFrom(m)
		return nil
	}
	var s flexString
	if err := json.Unmarshal(v, &s); err != nil {
		return fmt.Errorf("%w: field %s", errRow, info.name)
	}
	text := string(s)
	switch info.kind {
	case dateColumn:
		if text == "" {
			return nil
		}
		var ms flexInt
		if err := json.Unmarshal(v, &ms); err != nil {
			return fmt.Errorf("%w: field %s is no date", errRow, info.name)
		}
		text = time.UnixMilli(int64(ms)).UTC().Format(dateFormat)
	case flagColumn:
		if text == "false" {
			text = ""
		}
	}
	if text != "" {
		c.Fields[info.name] = text
	}
	return nil
}

// encodeFields turns fields into what OX expects. With clear, empty values
// become null, which deletes them; otherwise they are left out.
func encodeFields(f Fields, clear bool) (map[string]any, error) {
	body := make(map[string]any, len(f)+3)
	for col, text := range f {
		info, ok := columnsByName[col]
		if !ok || info.kind == managedColumn || info.kind == structColumn {
			return nil, fmt.Errorf("%q is not a field that can be written", string(col))
		}
		if text == "" {
			if clear {
				body[string(col)] = nil
			}
			continue
		}
		switch info.kind {
		case dateColumn:
			t, err := time.Parse(dateFormat, text)
			if err != nil {
				return nil, fmt.Errorf("field %s is no date as in 2006-01-02", col)
			}
			body[string(col)] = t.UnixMilli()
		case numberColumn:
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("field %s is no whole number", col)
			}
			body[string(col)] = n
		case flagColumn:
			b, err := strconv.ParseBool(text)
			if err != nil {
				return nil, fmt.Errorf("field %s is neither true nor false", col)
			}
			body[string(col)] = b
		default:
			body[string(col)] = text
		}
	}
	return body, nil
}

func contactsRequest(folder FolderID, cols []Column) (*Request, error) {
	rq := &Request{Module: "contacts", Action: "all", Subject: "folder " + string(folder)}
	columns, err := columnNumbers(rq, cols)
	if err != nil {
		return rq, err
	}
	// The timezone makes column 5 true UTC; sorting by id spares the server
	// loading names.
	rq.Params = url.Values{"folder": {string(folder.Plain())}, "columns": {columns},
		"sort": {"1"}, "order": {"asc"}, "timezone": {"utc"}}
	return rq, nil
}

func yieldContacts(rq *Request, data json.RawMessage, cols []Column, yield func(Contact, error) bool) {
	rows, err := parseRows(data, len(contactColumns)+len(cols))
	if err != nil {
		yield(Contact{}, protocolError(rq, err))
		return
	}
	for _, row := range rows {
		c, err := contactRow(row, cols)
		if err != nil {
			yield(Contact{}, protocolError(rq, err))
			return
		}
		if !yield(c, nil) {
			return
		}
	}
}

// Contacts lists a folder, sorted by id. Of the fields, those in cols are
// filled; ID, Folder, Modified, CreatedBy, UserID and List always are.
func (s *Session) Contacts(ctx context.Context, folder FolderID, cols ...Column) iter.Seq2[Contact, error] {
	cols = slices.Clone(cols)
	return func(yield func(Contact, error) bool) {
		rq, err := contactsRequest(folder, cols)
		if err != nil {
			yield(Contact{}, err)
			return
		}
		resp, err := s.call(ctx, rq)
		if err != nil {
			yield(Contact{}, err)
			return
		}
		yieldContacts(rq, resp.Data, cols, yield)
	}
}

// Listing is one folder of [Session.Listings].
type Listing struct {
	Folder    FolderID
	Contacts  []Contact
	Timestamp Timestamp // newest change in the folder
	Err       error     // this folder could not be read
}

// Listings lists many folders with few requests. A folder that cannot be read
// has Err set and does not stop the others; an error of the sequence itself
// ends it.
func (s *Session) Listings(ctx context.Context, folders []FolderID, cols ...Column) iter.Seq2[Listing, error] {
	folders, cols = slices.Clone(folders), slices.Clone(cols)
	return func(yield func(Listing, error) bool) {
		for rest := folders; len(rest) > 0; {
			chunk := rest[:min(len(rest), s.reads.next(s.c.opts.BatchSize))]
			rest = rest[len(chunk):]
			requests := make([]*Request, len(chunk))
			for i, f := range chunk {
				rq, err := contactsRequest(f, cols)
				if err != nil {
					yield(Listing{}, err)
					return
				}
				requests[i] = rq
			}
			answers, err := s.multiple(ctx, requests, true)
			if err != nil {
				yield(Listing{}, err)
				return
			}
			for i, a := range answers {
				l := Listing{Folder: chunk[i], Err: a.err}
				if l.Err == nil {
					l.Timestamp = a.resp.Timestamp
					yieldContacts(requests[i], a.resp.Data, cols, func(c Contact, err error) bool {
						if err != nil {
							l.Err = err
							return false
						}
						l.Contacts = append(l.Contacts, c)
						return true
					})
				}
				if !yield(l, nil) {
					return
				}
			}
		}
	}
}

// ContactRef says where a contact is.
type ContactRef struct {
	Folder FolderID
	ID     ContactID
}

// ContactsByID reads chosen contacts. OX leaves out, without a word, what it
// does not find.
func (s *Session) ContactsByID(ctx context.Context, refs []ContactRef, cols ...Column) iter.Seq2[Contact, error] {
	refs, cols = slices.Clone(refs), slices.Clone(cols)
	return func(yield func(Contact, error) bool) {
		type ref struct {
			Folder FolderID  `json:"folder"`
			ID     ContactID `json:"id"`
		}
		body := make([]ref, 0, len(refs))
		for _, r := range refs {
			body = append(body, ref{r.Folder.Plain(), r.ID})
		}
		rq := &Request{Module: "contacts", Action: "list", Body: body, ReadOnly: true}
		columns, err := columnNumbers(rq, cols)
		if err != nil {
			yield(Contact{}, err)
			return
		}
		rq.Params = url.Values{"columns": {columns}, "timezone": {"utc"}}
		resp, err := s.call(ctx, rq)
		if err != nil {
			yield(Contact{}, err)
			return
		}
		yieldContacts(rq, resp.Data, cols, yield)
	}
}

// Contact reads one contact with all its fields and members.
func (s *Session) Contact(ctx context.Context, folder FolderID, id ContactID) (Contact, error) {
	rq := &Request{Module: "contacts", Action: "get", Subject: contactSubject(folder, id),
		Params: url.Values{"folder": {string(folder.Plain())}, "id": {string(id)}, "timezone": {"utc"}}}
	resp, err := s.call(ctx, rq)
	if err != nil {
		return Contact{}, err
	}
	c, err := parseContact(resp.Data)
	if err != nil {
		return Contact{}, protocolError(rq, err)
	}
	return c, nil
}

// parseContact reads a contact written as a JSON object.
func parseContact(data json.RawMessage) (Contact, error) {
	var j struct {
		ID        flexString `json:"id"`
		Folder    flexString `json:"folder_id"`
		CreatedBy flexInt    `json:"created_by"`
		Modified  flexInt    `json:"last_modified"`
		UserID    flexInt    `json:"user_id"`
		List      flexString `json:"mark_as_distributionlist"`
	}
	var all map[string]json.RawMessage
	if json.Unmarshal(data, &j) != nil || json.Unmarshal(data, &all) != nil || j.ID == "" {
		return Contact{}, errNotJSON
	}
	c := Contact{
		ID: ContactID(j.ID), Folder: FolderID(j.Folder), CreatedBy: schoolmail.UserID(j.CreatedBy),
		Modified: Timestamp(j.Modified),
		UserID:   schoolmail.UserID(j.UserID), List: j.List == "true", Fields: Fields{},
	}
	for name, v := range all {
		info, ok := columnsByName[Column(name)]
		if !ok || info.kind == managedColumn {
			continue
		}
		if err := c.set(info, v); err != nil {
			return Contact{}, err
		}
	}
	return c, nil
}

// CreateContact makes a contact or a distribution list. It is a method of
// [Session] and an item of [Session.Write].
type CreateContact struct {
	Folder  FolderID
	Fields  Fields
	List    bool // a distribution list; needs DisplayName
	Members []Member
}

// UpdateContact changes fields of a contact.
//
// OX gives the contact a new timestamp even when nothing changes: compare first.
type UpdateContact struct {
	Folder    FolderID
	ID        ContactID
	Timestamp Timestamp // of the read it is based on; [Unconditional] for no check
	Fields    Fields    // to change; "" clears a field
	Members   []Member  // replaces all members unless nil
	MoveTo    FolderID  // "": stays
}

// DeleteContact deletes one contact, which must not have changed after Timestamp.
type DeleteContact struct {
	Folder    FolderID
	ID        ContactID
	Timestamp Timestamp // of the read it is based on; [Unconditional] for no check
}

func contactSubject(folder FolderID, id ContactID) string {
	return "folder " + string(folder) + " id " + string(id)
}

func checkMembers(members []Member) error {
	for _, m := range members {
		switch {
		case m.MailField == 0 && m.Mail == "":
			return errors.New("a member without contact has no address")
		case m.MailField < 0 || m.MailField > 3:
			return errors.New("a member's mail field is not 0 to 3")
		case m.MailField > 0 && m.Contact == "":
			return errors.New("a member that refers to a contact has no id")
		}
	}
	return nil
}

func (o CreateContact) request() (*Request, error) {
	rq := &Request{Module: "contacts", Action: "new", Subject: "folder " + string(o.Folder)}
	body, err := encodeFields(o.Fields, false)
	switch {
	case err != nil:
		return rq, invalid(rq, err)
	case o.Folder == "":
		return rq, invalid(rq, errors.New("folder is empty"))
	case o.List && o.Fields[DisplayName] == "":
		return rq, invalid(rq, errors.New("a distribution list needs a display name"))
	case !o.List && len(o.Members) > 0:
		return rq, invalid(rq, errors.New("only a distribution list has members"))
	}
	body["folder_id"] = o.Folder.Plain()
	if o.List {
		if err := checkMembers(o.Members); err != nil {
			return rq, invalid(rq, err)
		}
		body["mark_as_distributionlist"] = true
		body["distribution_list"] = membersTo(o.Members)
	}
	rq.Body = body
	return rq, nil
}

func (o CreateContact) result(resp *Response, r *Result) error {
	var j struct {
		ID flexString `json:"id"`
	}
	if err := json.Unmarshal(resp.Data, &j); err != nil || j.ID == "" {
		return errNotJSON
	}
	r.Folder, r.Contact, r.Timestamp = o.Folder, ContactID(j.ID), resp.Timestamp
	return nil
}

func (o UpdateContact) request() (*Request, error) {
	rq := &Request{Module: "contacts", Action: "update", Subject: contactSubject(o.Folder, o.ID)}
	body, err := encodeFields(o.Fields, true)
	switch {
	case err != nil:
		return rq, invalid(rq, err)
	case o.Folder == "" || o.ID == "" || o.Timestamp == 0:
		return rq, invalid(rq, errors.New("folder, id or timestamp is missing"))
	}
	if o.Members != nil {
		if err := checkMembers(o.Members); err != nil {
			return rq, invalid(rq, err)
		}
		body["distribution_list"] = membersTo(o.Members)
	}
	if o.MoveTo != "" {
		body["folder_id"] = o.MoveTo.Plain()
	}
	rq.Params = url.Values{"folder": {string(o.Folder.Plain())}, "id": {string(o.ID)},
		"timestamp": {strconv.FormatInt(int64(o.Timestamp), 10)}}
	rq.Body = body
	return rq, nil
}

func (o UpdateContact) result(resp *Response, r *Result) error {
	r.Folder, r.Contact, r.Timestamp = o.Folder, o.ID, resp.Timestamp
	if o.MoveTo != "" {
		r.Folder = o.MoveTo
	}
	return nil
}

func (o DeleteContact) request() (*Request, error) {
	return deleteContacts(o.Folder, o.Timestamp, []ContactID{o.ID})
}

func (o DeleteContact) result(resp *Response, r *Result) error {
	r.Folder, r.Contact, r.Timestamp = o.Folder, o.ID, resp.Timestamp
	return notDeleted(resp)
}

func deleteContacts(folder FolderID, ts Timestamp, ids []ContactID) (*Request, error) {
	type ref struct {
		Folder FolderID  `json:"folder"`
		ID     ContactID `json:"id"`
	}
	var body []ref
	var names []string
	for _, id := range ids {
		body = append(body, ref{folder.Plain(), id})
		names = append(names, string(id))
	}
	rq := &Request{Module: "contacts", Action: "delete", Body: body,
		Subject: "folder " + string(folder) + " id " + strings.Join(names[:min(len(names), 5)], ","),
		Params:  url.Values{"timestamp": {strconv.FormatInt(int64(ts), 10)}}}
	if folder == "" || ts == 0 || len(ids) == 0 || slices.Contains(ids, "") {
		return rq, invalid(rq, errors.New("folder, id or timestamp is missing"))
	}
	return rq, nil
}

// CreateContact makes a contact or a distribution list.
func (s *Session) CreateContact(ctx context.Context, o CreateContact) (ContactID, Timestamp, error) {
	r := s.one(ctx, o)
	return r.Contact, r.Timestamp, r.Err
}

// UpdateContact changes a contact and returns its new timestamp. If somebody has
// changed it after the timestamp sent, that is [ErrConflict].
func (s *Session) UpdateContact(ctx context.Context, o UpdateContact) (Timestamp, error) {
	r := s.one(ctx, o)
	return r.Timestamp, r.Err
}

// DeleteContacts deletes contacts of one folder in one call, all or nothing: an
// id that is gone already is [ErrNotFound] and keeps the others, too. To delete
// each for itself, use [Session.Write] with [DeleteContact] items.
func (s *Session) DeleteContacts(ctx context.Context, folder FolderID, ts Timestamp, ids ...ContactID) error {
	rq, err := deleteContacts(folder, ts, ids)
	if err != nil {
		return err
	}
	resp, err := s.call(ctx, rq)
	if err != nil {
		return err
	}
	return withRequest(rq, notDeleted(resp))
}
