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

// Me is what OX says about the logged-in account.
type Me struct {
	ID          schoolmail.UserID
	Context     schoolmail.ContextID
	Admin       schoolmail.UserID // the context's administrator
	Login       string
	DisplayName string
	Mail        string
	Aliases     []string
}

// Me reads the account's own data.
func (s *Session) Me(ctx context.Context) (Me, error) {
	rq := &Request{Module: "user/me"}
	resp, err := s.call(ctx, rq)
	if err != nil {
		return Me{}, err
	}
	var j struct {
		ID      flexInt     `json:"user_id"`
		Context flexInt     `json:"context_id"`
		Admin   flexInt     `json:"context_admin"`
		Login   flexString  `json:"login_name"`
		Name    flexString  `json:"display_name"`
		Mail    flexString  `json:"email_address"`
		Aliases flexStrings `json:"email_aliases"`
	}
	if err := json.Unmarshal(resp.Data, &j); err != nil || j.ID == 0 {
		return Me{}, protocolError(rq, errNotJSON)
	}
	return Me{schoolmail.UserID(j.ID), schoolmail.ContextID(j.Context), schoolmail.UserID(j.Admin), string(j.Login),
		string(j.Name), string(j.Mail), j.Aliases}, nil
}

// User is a user of the context. Which fields of others are filled depends on
// the global address book: with it closed, Login and Aliases are empty.
type User struct {
	ID          schoolmail.UserID // the entity id for permissions
	Contact     ContactID
	Login       string
	DisplayName string
	GivenName   string
	FamilyName  string
	Mail        string
	Groups      []GroupID
	Aliases     []string
}

// Columns of user lists, in the order userRow reads them.
var userColumns = []int{1, 614, 615, 500, 501, 502, 555, 613, 610}

// Users lists all users of the context, whatever the account may see of the
// global address book: OX hides fields, not users.
func (s *Session) Users(ctx context.Context) iter.Seq2[User, error] {
	return func(yield func(User, error) bool) {
		rq := &Request{Module: "user", Action: "all",
			Params: url.Values{"columns": {columnList(userColumns)}, "sort": {"1"}, "order": {"asc"}}}
		resp, err := s.call(ctx, rq)
		if err != nil {
			yield(User{}, err)
			return
		}
		rows, err := parseRows(resp.Data, len(userColumns))
		if err != nil {
			yield(User{}, protocolError(rq, err))
			return
		}
		for _, row := range rows {
			u, err := userRow(row)
			if err != nil {
				yield(User{}, protocolError(rq, err))
				return
			}
			if !yield(u, nil) {
				return
			}
		}
	}
}

func userRow(cells []json.RawMessage) (User, error) {
	r := rowReader{cells: cells}
	var u User
	u.ID = schoolmail.UserID(r.number())
	u.Contact = ContactID(r.text())
	u.Login = r.text()
	u.DisplayName = r.text()
	u.GivenName = r.text()
	u.FamilyName = r.text()
	u.Mail = r.text()
	var groups []flexInt
	r.decode(&groups)
	for _, g := range groups {
		u.Groups = append(u.Groups, GroupID(g))
	}
	var aliases flexStrings
	r.decode(&aliases)
	u.Aliases = aliases
	return u, r.err
}

// Group is a group of the context.
type Group struct {
	ID          GroupID
	Name        string // unique in the context, ignoring case
	DisplayName string
	Members     []schoolmail.UserID
}

// Columns of group lists, in the order groupRow reads them.
var groupColumns = []int{1, 700, 701, 702}

// Groups lists the groups of the context. Group 0, which stands for everybody
// ([Everybody]), is left out; the standard group of all users is hidden by OX.
func (s *Session) Groups(ctx context.Context) iter.Seq2[Group, error] {
	return func(yield func(Group, error) bool) {
		rq := &Request{Module: "group", Action: "all", Params: url.Values{"columns": {columnList(groupColumns)}}}
		resp, err := s.call(ctx, rq)
		if err != nil {
			yield(Group{}, err)
			return
		}
		rows, err := parseRows(resp.Data, len(groupColumns))
		if err != nil {
			yield(Group{}, protocolError(rq, err))
			return
		}
		for _, row := range rows {
			g, err := groupRow(row)
			if err != nil {
				yield(Group{}, protocolError(rq, err))
				return
			}
			if g.ID != 0 && !yield(g, nil) {
				return
			}
		}
	}
}

func groupRow(cells []json.RawMessage) (Group, error) {
	r := rowReader{cells: cells}
	var g Group
	g.ID = GroupID(r.number())
	g.Name = r.text()
	g.DisplayName = r.text()
	members, err := memberIDs(r.next())
	if err != nil && r.err == nil {
		r.err = err
	}
	g.Members = members
	return g, r.err
}

// memberIDs reads a group's members: a list of numbers, or that list as text.
func memberIDs(raw json.RawMessage) ([]schoolmail.UserID, error) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		text = strings.Trim(strings.TrimSpace(text), "[]")
	} else {
		var list []flexInt
		if json.Unmarshal(raw, &list) != nil {
			return nil, errors.New("members of a group cannot be read")
		}
		var out []schoolmail.UserID
		for _, n := range list {
			out = append(out, schoolmail.UserID(n))
		}
		return out, nil
	}
	var out []schoolmail.UserID
	for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		n, err := strconv.Atoi(part)
		if err != nil {
			return nil, errors.New("members of a group cannot be read")
		}
		out = append(out, schoolmail.UserID(n))
	}
	return out, nil
}

// Capabilities lists what OX offers this account, such as "contacts"; "gab"
// among them says that the account sees the global address book.
func (s *Session) Capabilities(ctx context.Context) ([]string, error) {
	rq := &Request{Module: "capabilities", Action: "all"}
	resp, err := s.call(ctx, rq)
	if err != nil {
		return nil, err
	}
	var list []struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(resp.Data, &list); err != nil {
		return nil, protocolError(rq, errNotJSON)
	}
	var out []string
	for _, c := range list {
		out = append(out, c.ID)
	}
	return out, nil
}
