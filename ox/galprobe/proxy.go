package galprobe

import (
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"strings"
)

// ProxyOptions fill in the snippets.
type ProxyOptions struct {
	// Prefixes are the paths of the HTTP API. Default "/ajax/" and "/appsuite/api/".
	Prefixes []string

	// Trusted are addresses that keep access, such as that of the program that
	// writes the address books. They must be those that the proxy sees.
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

// plain matches the prefixes as a client writes them.
func (o *ProxyOptions) plain() string {
	var out []string
	for _, p := range o.prefixes() {
		out = append(out, "/"+regexp.QuoteMeta(strings.Trim(p, "/"))+"/")
	}
	return "(?:" + strings.Join(out, "|") + ")"
}

// separator is what a servlet container could take for one slash.
const separator = `/(?:\.?(?:;[^/?]*)?/)*`

// odd matches everything that a servlet container could take for one of the
// prefixes, with parameters behind segments and empty segments in between.
func (o *ProxyOptions) odd() string {
	var out []string
	for _, p := range o.prefixes() {
		var path strings.Builder
		for segment := range strings.SplitSeq(strings.Trim(p, "/"), "/") {
			path.WriteString(separator + regexp.QuoteMeta(segment) + "(?:;[^/?]*)?")
		}
		out = append(out, path.String())
	}
	return "(?:" + strings.Join(out, "|") + ")" + separator
}

// Parameters as a client writes them. What is left of a query when these are
// taken away could hide another "action".
const (
	ownDataParams = `(?:(?:session|columns|timezone)=[^&?]*&)*action=get(?:&(?:session|columns|timezone)=[^&?]*)*$`
	otherParams   = `(?:(?!(?i:action)=)[a-z_]+=[^&?]*&)*`
	writeParams   = otherParams + `action=(?:update|setAttribute)(?:&(?!(?i:action)=)[a-z_]+=[^&?]*)*$`

	// byUser are queries of the module contacts that ask by user number, or do not
	// say plainly what they ask: with an encoded action or name, or without action.
	byUser = `(?:[^#]*&)?action=(?:getuser|listuser)(?:&|$)|(?:[^&]*&)*[^&=]*%[^&=]*=|(?:[^&]*&)*action=[^&]*%|` +
		`(?!(?:[^#]*&)?action=)`
)

const proxyNote = `# Refuses the calls by which OX lists the users and groups of a context to
# everybody, also to those who do not see the global address book: in the modules
# user, group and halo everything but the caller's own data (user/me, user get
# without an id, changes), in the module contacts the calls by user number.
# Try it out first: the web client uses some of these calls to show who created
# or shares something; there, names will be missing.
`

// WriteNginx writes rules for nginx (1.9 and later, with PCRE).
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

map "$schoolmail_trusted $request_method $uri?$args" $schoolmail_lists_people {
    default 0;
    "~^1" 0;
`)
	plain, odd := opts.plain(), opts.odd()
	for _, rule := range []string{
		`"~^0 GET ` + plain + `user/me\?" 0;`,
		`"~^0 GET ` + plain + `user\?` + ownDataParams + `" 0;`,
		`"~^0 PUT ` + plain + `user\?` + writeParams + `" 0;`,
		`"~^0 \S+ [^?]*/\.\.;" 1;`,
		`"~*^0 \S+ ` + odd + `(?:user|group|halo)(?:[/;?])" 1;`,
		`"~*^0 \S+ ` + odd + `contacts(?:[/;][^?]*)?\?(?:` + byUser + `)" 1;`,
	} {
		b.WriteString("    " + rule + "\n")
	}
	b.WriteString(`}

# in server { }, before the locations:
if ($schoolmail_lists_people) {
    return 403;
}
`)
	return write(w, b.String())
}

// WriteHAProxy writes rules for a frontend of HAProxy (2.4 and later, with PCRE).
func WriteHAProxy(w io.Writer, opts *ProxyOptions) error {
	var b strings.Builder
	b.WriteString(proxyNote)
	b.WriteString(`# Bodies of "multiple" are searched, and refused if they are longer than HAProxy
# buffers (tune.bufsize, 16 kB unless changed): set it to 65536 or more.
# Put this into the frontend of OX.

option http-buffer-request
`)
	plain, odd := opts.plain(), opts.odd()
	unless := ""
	if t := opts.trusted(); len(t) > 0 {
		fmt.Fprintf(&b, "acl ox_trusted src %s\n", strings.Join(t, " "))
		unless = " !ox_trusted"
	}
	fmt.Fprintf(&b, `acl ox_people path,url_dec -m reg -i '^%[2]s(?:user|group|halo)(?:[/;]|$)'
acl ox_contacts path,url_dec -m reg -i '^%[2]scontacts(?:[/;]|$)'
acl ox_multiple path,url_dec -m reg -i '^%[2]smultiple(?:[/;]|$)'
acl ox_dots path,url_dec -m reg '/\.\.(?:[/;]|$)'
acl ox_me path -m reg '^%[1]suser/me$'
acl ox_user path -m reg '^%[1]suser$'
acl ox_own query -m reg '^%[3]s'
acl ox_write query -m reg '^%[4]s'
acl ox_by_user query -m reg -i '^(?:%[5]s)'
acl ox_query query -m found
acl ox_packed req.body -m reg '"module"\s*:\s*"(?:user|group|halo[^"]*)"'
acl ox_packed req.body -m reg '"action"\s*:\s*"(?:getuser|listuser)"'
acl ox_packed req.body -m reg '\\u00[4-7]'
acl ox_length req.hdr(content-length) -m found
acl ox_coded req.hdr(content-encoding) -m found
acl ox_charset req.hdr(content-type) -m reg -i 'charset="?(?!utf-8)'
acl ox_cut req.body_size,sub(txn.ox_buffered) gt 0
http-request set-var(txn.ox_buffered) req.body_len
http-request set-var(txn.ox_allowed) bool(true) if METH_GET ox_me
http-request set-var(txn.ox_allowed) bool(true) if METH_GET ox_user ox_own
http-request set-var(txn.ox_allowed) bool(true) if { method PUT } ox_user ox_write
`, plain, odd, ownDataParams, writeParams, byUser)
	for _, cond := range []string{
		"ox_dots", "ox_people !{ var(txn.ox_allowed) -m bool }", "ox_contacts !ox_query", "ox_contacts ox_by_user",
		"ox_multiple ox_packed", "ox_multiple ox_cut", "ox_multiple !ox_length", "ox_multiple ox_coded",
		"ox_multiple ox_charset",
	} {
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
