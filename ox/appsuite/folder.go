package appsuite

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/url"
	"strconv"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// FolderID names a folder of a context. It is opaque: newer servers write
// contact folders also as "con://0/33". Compare with [FolderID.Same].
type FolderID string

// Folders that every context has.
const (
	RootFolder        FolderID = "0"
	PrivateFolder     FolderID = "1"
	PublicFolder      FolderID = "2"
	SharedFolder      FolderID = "3"
	GlobalAddressBook FolderID = "6" // one contact per user of the context
)

const defaultAccount = "con://0/"

// Plain returns the id without the prefix of the default contacts account.
func (id FolderID) Plain() FolderID { return FolderID(strings.TrimPrefix(string(id), defaultAccount)) }

// Same reports whether both ids name the same folder.
func (id FolderID) Same(other FolderID) bool { return id.Plain() == other.Plain() }

// FolderType says in which part of the tree a folder is.
type FolderType int

// The folder types.
const (
	PrivateType FolderType = 1
	PublicType  FolderType = 2
	SharedType  FolderType = 3
	SystemType  FolderType = 5
)

// Folder is a folder as the logged-in account sees it.
type Folder struct {
	ID          FolderID
	Parent      FolderID
	Title       string
	Module      string // "contacts", "calendar", ...
	Type        FolderType
	OwnRights   Rights       // what the account itself may do
	Permissions []Permission // as set on the folder
	CreatedBy   schoolmail.UserID
	Modified    Timestamp
	Subfolders  bool
	Standard    bool // a default folder that OX makes for every user
}

// Permission returns what the folder's list grants to e itself, not counting groups.
func (f *Folder) Permission(e Entity) (Rights, bool) {
	for _, p := range f.Permissions {
		if p.Entity == e {
			return p.Rights, true
		}
	}
	return Rights{}, false
}

// Columns of folder lists, in the order that folderRow reads them.
var folderColumns = []int{1, 2, 20, 300, 301, 302, 304, 305, 306, 308, 6}

type jsonPermission struct {
	Entity int  `json:"entity"`
	Group  bool `json:"group"`
	Bits   int  `json:"bits"`
}

func permissionsFrom(in []jsonPermission) []Permission {
	out := make([]Permission, 0, len(in))
	for _, p := range in {
		out = append(out, Permission{Entity{p.Entity, p.Group}, rightsOf(p.Bits)})
	}
	return out
}

func permissionsTo(in []Permission) []jsonPermission {
	out := make([]jsonPermission, 0, len(in))
	for _, p := range in {
		out = append(out, jsonPermission{p.Entity.ID, p.Entity.Group, p.Rights.bits()})
	}
	return out
}

func folderRow(cells []json.RawMessage) (Folder, error) {
	r := rowReader{cells: cells}
	var f Folder
	f.ID = FolderID(r.text())
	f.CreatedBy = schoolmail.UserID(r.number())
	f.Parent = FolderID(r.text())
	f.Title = r.text()
	f.Module = r.text()
	f.Type = FolderType(r.number())
	f.Subfolders = r.flag()
	f.OwnRights = rightsOf(int(r.number()))
	var perms []jsonPermission
	r.decode(&perms)
	f.Permissions = permissionsFrom(perms)
	f.Standard = r.flag()
	f.Modified = Timestamp(r.number())
	return f, r.err
}

func folderParams() url.Values {
	return url.Values{"tree": {"0"}, "allowed_modules": {"contacts"}}
}

// VisibleFolders lists every contact folder the account can see, at any depth,
// in one request: private ones first, then public, then shared.
func (s *Session) VisibleFolders(ctx context.Context) iter.Seq2[Folder, error] {
	return func(yield func(Folder, error) bool) {
		rq := visibleFolders("contacts")
		resp, err := s.call(ctx, rq)
		if err != nil {
			yield(Folder{}, err)
			return
		}
		yieldVisible(rq, resp.Data, yield)
	}
}

func visibleFolders(content string) *Request {
	return &Request{Module: "folders", Action: "allVisible", Params: url.Values{
		"tree": {"0"}, "content_type": {content}, "columns": {columnList(folderColumns)}}}
}

func yieldVisible(rq *Request, data json.RawMessage, yield func(Folder, error) bool) {
	var parts struct{ Private, Public, Shared json.RawMessage }
	if err := json.Unmarshal(data, &parts); err != nil {
		yield(Folder{}, protocolError(rq, errNotJSON))
		return
	}
	for _, part := range []json.RawMessage{parts.Private, parts.Public, parts.Shared} {
		if len(part) == 0 || string(part) == "null" {
			continue // no folders of this kind
		}
		if !yieldFolders(rq, part, yield) {
			return
		}
	}
}

// Folders lists the contact folders directly below parent, and the folders that
// lead to some.
func (s *Session) Folders(ctx context.Context, parent FolderID) iter.Seq2[Folder, error] {
	return func(yield func(Folder, error) bool) {
		p := folderParams()
		p.Set("parent", string(parent))
		p.Set("columns", columnList(folderColumns))
		rq := &Request{Module: "folders", Action: "list", Params: p, Subject: "parent " + string(parent)}
		resp, err := s.call(ctx, rq)
		if err != nil {
			yield(Folder{}, err)
			return
		}
		yieldFolders(rq, resp.Data, yield)
	}
}

func yieldFolders(rq *Request, data json.RawMessage, yield func(Folder, error) bool) bool {
	rows, err := parseRows(data, len(folderColumns))
	if err != nil {
		yield(Folder{}, protocolError(rq, err))
		return false
	}
	for _, row := range rows {
		f, err := folderRow(row)
		if err != nil {
			yield(Folder{}, protocolError(rq, err))
			return false
		}
		if !yield(f, nil) {
			return false
		}
	}
	return true
}

// Folder reads one folder.
func (s *Session) Folder(ctx context.Context, id FolderID) (Folder, error) {
	p := folderParams()
	p.Set("id", string(id))
	rq := &Request{Module: "folders", Action: "get", Params: p, Subject: "folder " + string(id)}
	resp, err := s.call(ctx, rq)
	if err != nil {
		return Folder{}, err
	}
	var j struct {
		ID          flexString       `json:"id"`
		Parent      flexString       `json:"folder_id"`
		Title       flexString       `json:"title"`
		Module      flexString       `json:"module"`
		Type        flexInt          `json:"type"`
		Own         flexInt          `json:"own_rights"`
		Permissions []jsonPermission `json:"permissions"`
		CreatedBy   flexInt          `json:"created_by"`
		Modified    flexInt          `json:"last_modified_utc"`
		Subfolders  bool             `json:"subfolders"`
		Standard    bool             `json:"standard_folder"`
	}
	if err := json.Unmarshal(resp.Data, &j); err != nil {
		return Folder{}, protocolError(rq, errNotJSON)
	}
	f := Folder{
		ID: FolderID(j.ID), Parent: FolderID(j.Parent), Title: string(j.Title), Module: string(j.Module),
		Type: FolderType(j.Type), OwnRights: rightsOf(int(j.Own)), Permissions: permissionsFrom(j.Permissions),
		CreatedBy: schoolmail.UserID(j.CreatedBy), Modified: Timestamp(j.Modified), Subfolders: j.Subfolders,
		Standard: j.Standard,
	}
	if f.Modified == 0 {
		f.Modified = resp.Timestamp
	}
	return f, nil
}

// CreateFolder makes a contact folder. It is a method of [Session] and an item
// of [Session.Write].
//
// Below [PublicFolder] it becomes a public folder, for which the account needs
// the module permission to edit public folders. OX compares titles exactly
// (after trimming blanks): "Class A" and "CLASS A" can stand side by side.
type CreateFolder struct {
	Parent FolderID
	Title  string // at most 767 characters

	// Permissions is the complete list and should name the creating account as
	// owner. It must not be empty.
	Permissions []Permission
}

// UpdateFolder changes a folder; the account must be its admin.
type UpdateFolder struct {
	ID        FolderID
	Timestamp Timestamp // 0: not checked for conflicts
	Title     string    // "": kept
	Parent    FolderID  // "": kept; otherwise the folder is moved

	// Permissions replaces the whole list unless it is nil. Whoever is left out
	// loses access, except the creator, whom OX gives back [AdminOnly].
	Permissions []Permission
}

// DeleteFolder deletes a folder for good, with its contacts and subfolders.
type DeleteFolder struct {
	ID        FolderID
	Timestamp Timestamp // 0: not checked for conflicts
}

var errNoPermissions = errors.New("the list of permissions is empty")

type folderBody struct {
	Folder struct {
		Module      string           `json:"module,omitempty"`
		Title       string           `json:"title,omitempty"`
		Parent      string           `json:"folder_id,omitempty"`
		Permissions []jsonPermission `json:"permissions,omitempty"`
	} `json:"folder"`
}

func (f CreateFolder) request() (*Request, error) {
	p := folderParams()
	p.Set("folder_id", string(f.Parent))
	rq := &Request{Module: "folders", Action: "new", Params: p, Subject: "below folder " + string(f.Parent)}
	switch {
	case f.Title == "" || f.Parent == "":
		return rq, invalid(rq, errors.New("title or parent is empty"))
	case len(f.Permissions) == 0:
		return rq, invalid(rq, errNoPermissions)
	}
	var b folderBody
	b.Folder.Module, b.Folder.Title, b.Folder.Permissions = "contacts", f.Title, permissionsTo(f.Permissions)
	rq.Body = b
	return rq, nil
}

func (f CreateFolder) result(resp *Response, r *Result) error {
	var id flexString
	if err := json.Unmarshal(resp.Data, &id); err != nil || id == "" {
		return errNotJSON
	}
	r.Folder, r.Timestamp = FolderID(id), resp.Timestamp
	return nil
}

func (f UpdateFolder) request() (*Request, error) {
	p := folderParams()
	p.Set("id", string(f.ID))
	if f.Timestamp != 0 {
		p.Set("timestamp", strconv.FormatInt(int64(f.Timestamp), 10))
	}
	rq := &Request{Module: "folders", Action: "update", Params: p, Subject: "folder " + string(f.ID)}
	if f.ID == "" {
		return rq, invalid(rq, errors.New("id is empty"))
	}
	if f.Permissions != nil && len(f.Permissions) == 0 {
		return rq, invalid(rq, errNoPermissions)
	}
	var b folderBody
	b.Folder.Title, b.Folder.Parent = f.Title, string(f.Parent)
	if f.Permissions != nil {
		b.Folder.Permissions = permissionsTo(f.Permissions)
	}
	rq.Body = b
	return rq, nil
}

func (f UpdateFolder) result(resp *Response, r *Result) error {
	var id flexString
	if err := json.Unmarshal(resp.Data, &id); err != nil {
		return errNotJSON
	}
	if r.Folder = FolderID(id); id == "" {
		r.Folder = f.ID
	}
	r.Timestamp = resp.Timestamp
	return nil
}

func (f DeleteFolder) request() (*Request, error) {
	p := folderParams()
	if f.Timestamp != 0 {
		p.Set("timestamp", strconv.FormatInt(int64(f.Timestamp), 10))
	}
	rq := &Request{Module: "folders", Action: "delete", Params: p, Subject: "folder " + string(f.ID),
		Body: []FolderID{f.ID}}
	if f.ID == "" {
		return rq, invalid(rq, errors.New("id is empty"))
	}
	return rq, nil
}

// result looks at the ids that were not deleted: OX reports them as data, with
// the cause beside it as a warning.
func (f DeleteFolder) result(resp *Response, r *Result) error {
	r.Folder, r.Timestamp = f.ID, resp.Timestamp
	return notDeleted(resp)
}

// notDeleted reads the answer of a delete: {} or [], or a list of what was not deleted.
func notDeleted(resp *Response) error {
	var left []json.RawMessage
	if len(resp.Data) > 0 && resp.Data[0] == '[' {
		if err := json.Unmarshal(resp.Data, &left); err != nil {
			return errNotJSON
		}
	}
	if len(left) == 0 {
		return nil
	}
	e := &Error{Kind: ErrOther, Status: resp.Status, Err: errors.New("reported as not deleted")}
	if w := resp.Warning; w != nil {
		e.Kind, e.Code, e.Categories, e.ID, e.Message, e.Desc, e.Params = w.Kind, w.Code, w.Categories, w.ID, w.Message,
			w.Desc, w.Params
	}
	return e
}

// CreateFolder makes a contact folder and returns its id. A folder of the same
// title there is [ErrDuplicate].
func (s *Session) CreateFolder(ctx context.Context, f CreateFolder) (FolderID, error) {
	r := s.one(ctx, f)
	return r.Folder, r.Err
}

// UpdateFolder renames or moves a folder, or replaces its permissions. If
// somebody has changed it after the timestamp sent, that is [ErrConflict].
func (s *Session) UpdateFolder(ctx context.Context, f UpdateFolder) (Timestamp, error) {
	r := s.one(ctx, f)
	return r.Timestamp, r.Err
}

// DeleteFolder deletes a folder for good, with its contacts and subfolders.
func (s *Session) DeleteFolder(ctx context.Context, f DeleteFolder) error {
	return s.one(ctx, f).Err
}

func protocolError(rq *Request, err error) error {
	return &Error{Op: rq.op(), Subject: rq.Subject, Kind: ErrProtocol, Err: err}
}

func invalid(rq *Request, err error) error {
	return &Error{Op: rq.op(), Subject: rq.Subject, Kind: ErrInvalid, Err: err}
}
