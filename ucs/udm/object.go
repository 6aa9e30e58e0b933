package udm

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ictmedia/schoolmail/internal/retry"
)

// Properties are the properties of an object, by UDM's names. Values are string,
// bool, int, []string or nil; nil clears one.
type Properties map[string]any

// Object is an object as UDM shows it, or as it is to be.
type Object struct {
	DN       string `json:"dn,omitempty"`
	UUID     string `json:"uuid,omitempty"` // entryUUID
	Position string `json:"position,omitempty"`
	// Options switch groups of properties on and off. On create, properties of
	// an option that is not on are dropped without a word.
	Options    map[string]bool     `json:"options,omitempty"`
	Policies   map[string][]string `json:"policies,omitempty"`
	Properties Properties          `json:"properties,omitempty"`
	Etag       string              `json:"-"` // to be given back with a change
}

// Ref is where an object is.
type Ref struct{ DN, UUID, Etag string }

// Create makes an object at o.Position.
func (c *Client) Create(ctx context.Context, m Module, o Object) (Ref, error) {
	k := call{op: "create " + string(m), subject: o.Position, method: http.MethodPost, module: m, path: string(m) + "/",
		contentType: "application/json", names: true}
	policies := o.Policies
	if policies == nil {
		policies = map[string][]string{}
	}
	options := o.Options
	if options == nil {
		options = map[string]bool{}
	}
	k.body = map[string]any{"position": o.Position, "options": options, "policies": policies, "properties": o.Properties}
	a, err := c.do(ctx, k)
	if err != nil {
		return Ref{}, err
	}
	if a.status != http.StatusCreated {
		return Ref{}, k.failure(a)
	}
	var ref Ref
	if err := json.Unmarshal(a.body, &ref); err != nil || ref.DN == "" {
		return Ref{}, &Error{Op: k.op, Subject: k.subject, Kind: ErrUnavailable, Status: a.status, Sent: true,
			Err: fmt.Errorf("answer cannot be read")}
	}
	ref.Etag = a.header.Get("Etag")
	return ref, nil
}

// Get reads an object.
func (c *Client) Get(ctx context.Context, m Module, dn string) (Object, error) {
	k := call{op: "read " + string(m), subject: dn, method: http.MethodGet, module: m, path: m.object(dn)}
	a, err := c.do(ctx, k)
	if err != nil {
		return Object{}, err
	}
	if a.status != http.StatusOK {
		// A DN of another type is 400.
		return Object{}, k.failure(a)
	}
	var o Object
	if err := json.Unmarshal(a.body, &o); err != nil {
		return Object{}, &Error{Op: k.op, Subject: dn, Kind: ErrOther, Status: a.status,
			Err: fmt.Errorf("answer cannot be read")}
	}
	o.Etag = a.header.Get("Etag")
	return o, nil
}

// PatchOptions of [Client.Patch].
type PatchOptions struct {
	// Etag, if set, must still be that of the object: else [ErrStale]. It does not
	// tell of changed memberships.
	Etag string
	// Options to switch on (true) or off (false).
	Options map[string]bool
	// Policies to set, by type.
	Policies map[string][]string
}

// Patch changes properties, and leaves others as they are. It returns where the
// object is afterwards: a change of the user name renames it.
func (c *Client) Patch(ctx context.Context, m Module, dn string, p Properties, opts *PatchOptions) (Ref, error) {
	var o PatchOptions
	if opts != nil {
		o = *opts
	}
	body := map[string]any{}
	if len(p) > 0 {
		body["properties"] = p
	}
	if len(o.Options) > 0 {
		body["options"] = o.Options
	}
	if len(o.Policies) > 0 {
		body["policies"] = o.Policies
	}
	k := call{op: "change " + string(m), subject: dn, method: http.MethodPatch, module: m, path: m.object(dn),
		contentType: "application/json", ifMatch: o.Etag, body: body, names: gives(p)}
	return c.change(ctx, k, dn)
}

// gives reports whether properties hold one that may be taken.
func gives(p Properties) bool {
	for _, n := range unique {
		if v, ok := p[n]; ok && v != nil && v != "" {
			return true
		}
	}
	return false
}

func (c *Client) change(ctx context.Context, k call, dn string) (Ref, error) {
	a, err := c.do(ctx, k)
	if err != nil {
		return Ref{}, err
	}
	if a.status != http.StatusNoContent && a.status != http.StatusOK {
		return Ref{}, k.failure(a)
	}
	ref := Ref{DN: dn, Etag: a.header.Get("Etag")}
	if to := dnOf(a.header.Get("Location")); to != "" {
		ref.DN = to
	}
	return ref, nil
}

// dnOf takes the DN out of the address of an object.
func dnOf(location string) string {
	u, err := url.Parse(location)
	if err != nil {
		return ""
	}
	p := u.EscapedPath()
	dn, err := url.PathUnescape(p[strings.LastIndexByte(p, '/')+1:])
	if err != nil || !strings.Contains(dn, "=") {
		return ""
	}
	return dn
}

// Members puts people into a group and takes others out, by their DNs, without
// sending the whole list. UDM does not look whether they exist.
func (c *Client) Members(ctx context.Context, group string, add, remove []string) error {
	type operation struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value string `json:"value"`
	}
	var body []operation
	for _, dn := range remove {
		body = append(body, operation{"remove", "/properties/users", dn})
	}
	for _, dn := range add {
		body = append(body, operation{"add", "/properties/users", dn})
	}
	if body == nil {
		return nil
	}
	k := call{op: "change members of " + string(Groups), subject: group, method: http.MethodPatch, module: Groups,
		path: Groups.object(group), contentType: "application/json-patch+json", body: body}
	_, err := c.change(ctx, k, group)
	return err
}

// Move puts an object into another container and returns its new name. It does
// not change anything else.
func (c *Client) Move(ctx context.Context, m Module, dn, position string) (string, error) {
	k := call{op: "move " + string(m), subject: dn, method: http.MethodPost, module: m, path: string(m) + "/move",
		contentType: "application/json", body: map[string]any{"position": position, "dn": []string{dn}}}
	a, err := c.do(ctx, k)
	if err != nil {
		return "", err
	}
	if a.status != http.StatusAccepted && a.status != http.StatusCreated {
		return "", k.failure(a)
	}
	rdn, _, _ := strings.Cut(dn, ",")
	to := rdn + "," + position
	// The server is at it; it is done when the object is there.
	for wait := 50 * time.Millisecond; ; wait = retry.Grow(wait, wait, 2*time.Second) {
		_, err := c.Get(ctx, m, to)
		e, ok := err.(*Error)
		if err == nil || !ok || e.Kind != ErrNotFound {
			return to, err
		}
		if wait >= 2*time.Second {
			if _, old := c.Get(ctx, m, dn); old == nil {
				return dn, &Error{Op: k.op, Subject: dn, Kind: ErrRefused, Status: a.status}
			}
		}
		if err := retry.Sleep(ctx, wait); err != nil {
			return "", err
		}
	}
}

// Remove removes an object. One that is gone is [ErrNotFound].
func (c *Client) Remove(ctx context.Context, m Module, dn string, etag string) error {
	k := call{op: "remove " + string(m), subject: dn, method: http.MethodDelete, module: m, path: m.object(dn),
		ifMatch: etag}
	a, err := c.do(ctx, k)
	if err != nil {
		return err
	}
	if a.status != http.StatusNoContent && a.status != http.StatusOK {
		return k.failure(a)
	}
	return nil
}

// Find returns the names of the objects that a filter (RFC 4515; properties by
// UDM's names or attributes) finds below position; "": everywhere. It is there for
// single objects: for many use LDAP.
func (c *Client) Find(ctx context.Context, m Module, position, filter string) ([]Ref, error) {
	q := url.Values{"filter": {filter}, "properties": {"dn"}}
	if position != "" {
		q.Set("position", position)
	}
	k := call{op: "search " + string(m), subject: position, method: http.MethodGet, module: m,
		path: string(m) + "/?" + q.Encode()}
	a, err := c.do(ctx, k)
	if err != nil {
		return nil, err
	}
	if a.status != http.StatusOK {
		return nil, k.failure(a)
	}
	var list struct {
		Embedded struct {
			Objects []Ref `json:"udm:object"`
		} `json:"_embedded"`
	}
	if err := json.Unmarshal(a.body, &list); err != nil {
		return nil, &Error{Op: k.op, Kind: ErrOther, Status: a.status, Err: fmt.Errorf("answer cannot be read")}
	}
	return list.Embedded.Objects, nil
}
