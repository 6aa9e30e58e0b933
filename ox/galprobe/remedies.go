package galprobe

import (
	"fmt"
	"io"
	"net/netip"
	"strings"
)

// Remedy is something that can be done about a finding.
type Remedy struct {
	Paths []string // the paths that it concerns; empty: all
	Text  string
}

// Remedies lists what is known to help, the surest first.
func Remedies() []Remedy {
	beyond := []string{"user contacts", "users", "groups", "profile", "multiple"}
	return []Remedy{
		{nil, "Separate contexts. OX answers none of these calls across contexts, as long as the cross-context features stay off " +
			"(com.openexchange.calendar.enableCrossContextFreeBusy, com.openexchange.calendar.enableCrossContextConflicts and " +
			"com.openexchange.share.crossContextGuests, all false unless changed). Whoever must not see each other's names belongs into different contexts; " +
			"this is the only complete isolation."},
		{[]string{"capability", "folder list", "folder", "contacts all", "contacts get", "contacts search", "advanced search", "autocomplete", "contacts updates", "export", "find", "carddav", "multiple"},
			"The module permission globalAddressBookDisabled for every user, new ones included (CheckAccess sets and checks it). OX refuses it together with " +
				"editPublicFolders, readCreateSharedFolders, webdavXml or delegateTask unless com.openexchange.admin.bypassAccessCombinationChecks is true; " +
				"the shipped combinations webmail, pim, pim_infostore and pim_mobility have it. copyUser leaves it set."},
		{[]string{"capability", "folder list", "folder", "contacts all"},
			"The context's gabMode must be individual. In mode global OX accepts the permission and ignores it; restoregabdefaults changes the mode."},
		{beyond, "Rules in the reverse proxy in front of OX (WriteNginx, WriteHAProxy) that refuse the user and group lists to everybody but chosen addresses. " +
			"They are a help and no wall: the web client uses some of these calls itself, and a query cannot be told from the address when it is packed into \"multiple\"."},
		{beyond, "OX App Suite 8 has a second set of fields for closed books that leaves the mail address out. The property that chooses it was not found in the " +
			"public sources; ask the vendor."},
		{[]string{"groups"}, "com.openexchange.group.hideAllUsers=true hides the group of all users (7.10.4 and later). No property is known that hides ordinary groups: " +
			"give groups names that say nothing, or put people into groups only where a permission needs it."},
		{[]string{"carddav"}, "com.openexchange.carddav.ignoreFolders=6 keeps the book from sync clients of those who may see it."},
		{[]string{"users", "contacts all"}, "com.openexchange.showAdmin=false hides the context's administrator (7.10.2 and later)."},
	}
}

// ProxyOptions fill in the snippets.
type ProxyOptions struct {
	// Prefixes are the paths of the HTTP API. Default "/ajax/" and "/appsuite/api/".
	Prefixes []string

	// Trusted are addresses that keep access, such as that of the program that
	// writes the address books.
	Trusted []netip.Prefix
}

func (o *ProxyOptions) prefixes() []string {
	if o == nil || len(o.Prefixes) == 0 {
		return []string{"/ajax/", "/appsuite/api/"}
	}
	return o.Prefixes
}

func (o *ProxyOptions) trusted() []string {
	var out []string
	if o != nil {
		for _, p := range o.Trusted {
			out = append(out, p.String())
		}
	}
	return out
}

// Calls that list people. Calls for the own data (user get without an id) stay.
const proxyNote = `# Refuses the calls by which OX lists the users and groups of a context to
# everybody, also to those who do not see the global address book.
# Try it out first: the web client uses some of these calls to show who created
# or shares something; there, names will be missing.
`

// WriteNginx writes rules for nginx.
func WriteNginx(w io.Writer, opts *ProxyOptions) error {
	var b strings.Builder
	b.WriteString(proxyNote)
	b.WriteString(`# nginx does not look into bodies: calls packed into "multiple" pass.
# Put the first part into http { }, the second into the server { } of OX.

geo $schoolmail_trusted {
    default 0;
`)
	for _, t := range opts.trusted() {
		fmt.Fprintf(&b, "    %s 1;\n", t)
	}
	b.WriteString(`}

map "$schoolmail_trusted $uri $arg_action $arg_id" $schoolmail_lists_people {
    default 0;
`)
	for _, p := range opts.prefixes() {
		q := regexpQuote(p)
		fmt.Fprintf(&b, "    \"~^0 %s(user|group) (all|list|search|updates) \" 1;\n", q)
		fmt.Fprintf(&b, "    \"~^0 %s(user|group) get .\" 1;\n", q)
		fmt.Fprintf(&b, "    \"~^0 %scontacts (getuser|listuser) \" 1;\n", q)
		fmt.Fprintf(&b, "    \"~^0 %shalo/contact \" 1;\n", q)
	}
	b.WriteString(`}

# in server { }, before the locations:
if ($schoolmail_lists_people) {
    return 403;
}
`)
	return write(w, b.String())
}

// WriteHAProxy writes rules for a frontend of HAProxy.
func WriteHAProxy(w io.Writer, opts *ProxyOptions) error {
	var b strings.Builder
	b.WriteString(proxyNote)
	b.WriteString(`# Bodies of "multiple" are searched as far as HAProxy buffers them
# (tune.bufsize, 16 kB unless changed): a longer one can hide a call.
# Put this into the frontend of OX.

option http-buffer-request
`)
	var user, contacts, halo, multiple []string
	for _, p := range opts.prefixes() {
		user = append(user, p+"user", p+"group")
		contacts = append(contacts, p+"contacts")
		halo = append(halo, p+"halo/contact")
		multiple = append(multiple, p+"multiple")
	}
	fmt.Fprintf(&b, "acl ox_people path %s\n", strings.Join(user, " "))
	fmt.Fprintf(&b, "acl ox_contacts path %s\n", strings.Join(contacts, " "))
	fmt.Fprintf(&b, "acl ox_halo path %s\n", strings.Join(halo, " "))
	fmt.Fprintf(&b, "acl ox_multiple path %s\n", strings.Join(multiple, " "))
	b.WriteString(`acl ox_list url_param(action) -m str all list search updates
acl ox_get url_param(action) -m str get
acl ox_has_id url_param(id) -m found
acl ox_by_user url_param(action) -m str getuser listuser
acl ox_packed req.body -m reg "\"module\"[[:space:]]*:[[:space:]]*\"(user|group|halo/contact)\""
acl ox_packed req.body -m reg "\"action\"[[:space:]]*:[[:space:]]*\"(getuser|listuser)\""
`)
	unless := ""
	if t := opts.trusted(); len(t) > 0 {
		fmt.Fprintf(&b, "acl ox_trusted src %s\n", strings.Join(t, " "))
		unless = " !ox_trusted"
	}
	for _, cond := range []string{"ox_people ox_list", "ox_people ox_get ox_has_id", "ox_contacts ox_by_user", "ox_halo", "ox_multiple ox_packed"} {
		fmt.Fprintf(&b, "http-request deny deny_status 403 if %s%s\n", cond, unless)
	}
	return write(w, b.String())
}

func write(w io.Writer, s string) error {
	if _, err := io.WriteString(w, s); err != nil {
		return fmt.Errorf("galprobe: write snippet: %w", err)
	}
	return nil
}

// regexpQuote escapes what a path can hold for nginx's regular expressions.
func regexpQuote(s string) string {
	return strings.NewReplacer(".", `\.`, "+", `\+`, "(", `\(`, ")", `\)`).Replace(s)
}
