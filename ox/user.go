package ox

import "github.com/ictmedia/schoolmail"

// UserRef names a user by id or by login name. With both, the id counts.
type UserRef struct {
	ID   schoolmail.UserID
	Name string
}

// Attributes are a user's or context's attributes by namespace and key. In
// namespace "config" the keys are the names of server properties.
type Attributes map[string]map[string]string

// User is a user as OX has him. An empty string stands for what OX has as empty
// and for what it does not have; dates are zero where there are none.
// Passwords never come back.
type User struct {
	// Who it is.
	ID           schoolmail.UserID // in the context; shared number space with groups and resources
	Name         string            // login name, unique in the context, upper and lower case differ
	DisplayName  string            // unique in the context
	GivenName    string
	MiddleName   string
	FamilyName   string
	Title        string
	Suffix       string
	Nickname     string
	ContextAdmin bool // the context's administrator

	// Mail.
	PrimaryEmail          string
	Email1                string   // one of the addresses; the primary one unless changed alone
	Email2                string   // free text, not an address of the mailbox
	Email3                string   // as Email2
	Aliases               []string // all addresses of the mailbox, the primary one included; in no order
	DefaultSender         string   // one of the addresses
	MailEnabled           bool
	MailAccountName       string // name of the primary mail account
	IMAPLogin             string // login at the mail server; cannot be cleared
	IMAPServer            string // host; cannot be cleared
	IMAPPort              int    // 143 when nothing is stored; applied only together with IMAPServer
	IMAPScheme            string // "imap://" when nothing is stored
	IMAPServerURL         string // as stored
	SMTPServer            string // as IMAPServer
	SMTPPort              int    // 25 when nothing is stored; applied only together with SMTPServer
	SMTPScheme            string // "smtp://" when nothing is stored
	SMTPServerURL         string // as stored
	SpamFilterEnabled     bool
	LoadRemoteMailContent bool
	UploadLimit           int // bytes in all attachments of a mail, 0: no limit
	UploadLimitPerFile    int // bytes in one attachment, 0: no limit
	DraftsFolder          string
	SentFolder            string
	SpamFolder            string
	TrashFolder           string
	ArchiveFolder         string
	ConfirmedHamFolder    string
	ConfirmedSpamFolder   string

	// Settings.
	PasswordMech    string // how the password is stored: "SHA-256", "BCRYPT", ...
	PasswordExpired bool
	Language        string     // for example "de_CH"
	TimeZone        string     // for example "Europe/Zurich"
	Attributes      Attributes // by namespace ("config", ...) and key
	GUIPreferences  map[string]string

	// Storage.
	FilestoreID   int // 0: the context's file store
	FilestoreName string
	MaxQuota      int64 // MB in a file store of his own; -1: none of his own
	UsedQuota     int64 // MB

	// Picture.
	Image     []byte // JPEG or PNG, at most 4194304 bytes; cannot be removed
	ImageType string // "image/jpeg" or "image/png"; goes with Image

	// Contact data.
	Anniversary        schoolmail.Date
	AssistantName      string
	Birthday           schoolmail.Date
	Branches           string
	BusinessCategory   string
	Categories         string
	CellularTelephone1 string
	CellularTelephone2 string
	CityBusiness       string
	CityHome           string
	CityOther          string
	CommercialRegister string
	Company            string
	CountryBusiness    string
	CountryHome        string
	CountryOther       string
	Department         string
	EmployeeType       string
	FaxBusiness        string
	FaxHome            string
	FaxOther           string
	Info               string
	InstantMessenger1  string
	InstantMessenger2  string
	ManagerName        string
	MaritalStatus      string
	Note               string
	NumberOfChildren   string
	NumberOfEmployee   string
	Position           string
	PostalCodeBusiness string
	PostalCodeHome     string
	PostalCodeOther    string
	Profession         string
	RoomNumber         string
	SalesVolume        string
	SpouseName         string
	StateBusiness      string
	StateHome          string
	StateOther         string
	StreetBusiness     string
	StreetHome         string
	StreetOther        string
	TaxID              string
	TelephoneAssistant string
	TelephoneBusiness1 string
	TelephoneBusiness2 string
	TelephoneCallback  string
	TelephoneCar       string
	TelephoneCompany   string
	TelephoneHome1     string
	TelephoneHome2     string
	TelephoneIP        string
	TelephoneISDN      string
	TelephoneOther     string
	TelephonePager     string
	TelephonePrimary   string
	TelephoneRadio     string
	TelephoneTelex     string
	TelephoneTTYTDD    string
	URL                string
	UserField01        string
	UserField02        string
	UserField03        string
	UserField04        string
	UserField05        string
	UserField06        string
	UserField07        string
	UserField08        string
	UserField09        string
	UserField10        string
	UserField11        string
	UserField12        string
	UserField13        string
	UserField14        string
	UserField15        string
	UserField16        string
	UserField17        string
	UserField18        string
	UserField19        string
	UserField20        string
}
