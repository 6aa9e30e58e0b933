package ucs

import (
	"strings"

	"github.com/ictmedia/schoolmail"
)

// Windows holds what Windows computers need of an account: templates in which
// <username> and <school> are replaced. They are those of UCS@school (UCR
// ucsschool/import/set/*) and are written to new accounts and again when the
// primary school changes, but not to people who are staff only. An empty
// template is not written.
type Windows struct {
	HomePath    string // sambaHomePath, for example `\\fileserver\<username>`
	HomeDrive   string // sambaHomeDrive, for example "I:"
	ProfilePath string // sambaProfilePath, for example `%LOGONSERVER%\%USERNAME%\windows-profiles\default`
	LogonScript string // sambaLogonScript, for example "ucs-school-logon.vbs"
}

// attrs are the attributes of an account.
func (w Windows) attrs(username string, school schoolmail.SchoolID, rs roles) []extra {
	if rs[0] == staffRole {
		return nil
	}
	r := strings.NewReplacer("<username>", username, "<school>", string(school))
	var out []extra
	for _, x := range []extra{{"sambaHomePath", w.HomePath, true}, {"sambaHomeDrive", w.HomeDrive, true},
		{"sambaProfilePath", w.ProfilePath, true}, {"sambaLogonScript", w.LogonScript, true}} {
		if x.value != "" {
			x.value = r.Replace(x.value)
			out = append(out, x)
		}
	}
	return out
}
