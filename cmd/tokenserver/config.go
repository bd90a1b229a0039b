package main

import (
	"net/netip"
	"time"

	"tokenserver/internal/keys"
)

// Config is what one process of the server is told when it starts; it never changes while the process runs. What
// administrators edit (applications, clients, policies) is settings: see internal/settings.
//
// Every leaf has a path such as "redis.password_file", a variable TOKENSERVER_REDIS_PASSWORD_FILE and, but for secrets,
// a flag --redis-password-file. The tag doc is its documentation.
type Config struct {
	PublicBaseURL     string         `yaml:"public_base_url" doc:"Address under which phones, browsers and portals reach the server, without /oauth; issuer and audiences derive from it. Empty: http://localhost with the port of listen.public; required in production, where it must be https."`
	Environment       Environment    `yaml:"environment" doc:"development or production. production refuses what is only good for trying out: a missing public_base_url, a generated encryption key, applications in development mode, callbacks over plain http."`
	DataDir           string         `yaml:"data_dir" doc:"Folder for what the server keeps in files: the SQLite database and the generated encryption key. Made when missing, readable by the owner only."`
	SettingsFile      string         `yaml:"settings_file" doc:"Settings document (YAML) that is applied at every start, as by admin apply. Empty: none."`
	TrustedProxies    []netip.Prefix `yaml:"trusted_proxies" doc:"Networks of the reverse proxies whose X-Forwarded-For is believed. Empty: the address of the connection is the client's."`
	TransactionHeader string         `yaml:"transaction_header" doc:"Request header that carries the transaction id of the audit log. The reverse proxy must strip it from outside requests. Empty: the server makes an id for each request."`

	Listen     ListenConfig     `yaml:"listen"`
	Store      StoreConfig      `yaml:"store"`
	Redis      RedisConfig      `yaml:"redis"`
	Keys       KeysConfig       `yaml:"keys"`
	Push       PushConfig       `yaml:"push"`
	Outbound   OutboundConfig   `yaml:"outbound"`
	MobileAuth MobileAuthConfig `yaml:"mobile_auth"`
	Audit      AuditConfig      `yaml:"audit"`
	Limits     LimitsConfig     `yaml:"limits"`
	Pages      PagesConfig      `yaml:"pages"`
	Log        LogConfig        `yaml:"log"`
}

// Environment is what the installation is for.
type Environment string

// The environments.
const (
	Development Environment = "development"
	Production  Environment = "production"
)

// ListenConfig says where the three listeners are.
type ListenConfig struct {
	Public     string `yaml:"public" doc:"Address of the public listener: everything under /oauth."`
	Console    string `yaml:"console" doc:"Address of the console for administrators and helpdesk. This release has none: the address is kept for it."`
	Operations string `yaml:"operations" doc:"Address of /health/live, /health/ready and /metrics."`
}

// StoreConfig says where the SQL store is.
type StoreConfig struct {
	DSN      DSN         `yaml:"dsn" doc:"postgres://user:password@host/database, or sqlite:PATH. Empty: sqlite: with tokenserver.db in data_dir."`
	DSNFile  string      `yaml:"dsn_file" doc:"File that holds store.dsn."`
	MaxConns int         `yaml:"max_conns" doc:"Connections to the SQL store at most."`
	Migrate  MigrateMode `yaml:"migrate" doc:"When serve brings the schema up to date: auto (SQLite only), always or never. Otherwise it refuses to run on an older schema: see the command migrate."`
}

// MigrateMode says when serve migrates.
type MigrateMode string

// The migration modes.
const (
	MigrateAuto   MigrateMode = "auto"
	MigrateAlways MigrateMode = "always"
	MigrateNever  MigrateMode = "never"
)

// RedisConfig says where the transaction state is.
type RedisConfig struct {
	Addrs               []string `yaml:"addrs" doc:"host:port of Redis: one for a single server, several for a cluster, with redis.master_name the Sentinels. Empty: a server inside this process, which forgets everything at a restart and serves this process alone."`
	MasterName          string   `yaml:"master_name" doc:"Name of the master when redis.addrs are Sentinels."`
	Username            string   `yaml:"username" doc:"User of Redis."`
	Password            Secret   `yaml:"password" doc:"Password of Redis."`
	PasswordFile        string   `yaml:"password_file" doc:"File that holds redis.password."`
	Database            int      `yaml:"database" doc:"Number of the database; 0 with a cluster."`
	TLS                 bool     `yaml:"tls" doc:"Speak TLS 1.2 or newer to Redis, with the certificate authorities of the system."`
	ForceEvictionPolicy bool     `yaml:"force_eviction_policy" doc:"Run although the maxmemory-policy of Redis is not noeviction: transactions may then get lost."`
}

// KeysConfig holds the key under which everything secret is kept.
type KeysConfig struct {
	EncryptionKey     Secret    `yaml:"encryption_key" doc:"Key-encryption key: 32 bytes in base64 or hex; tokenserver keys new prints one. Empty, with SQLite and outside production: made at the first start and kept in data_dir/encryption.key."`
	EncryptionKeyFile string    `yaml:"encryption_key_file" doc:"File that holds keys.encryption_key."`
	FormerKeys        Secret    `yaml:"former_keys" doc:"Earlier key-encryption keys that still open what they sealed, with commas or line ends between."`
	FormerKeysFile    string    `yaml:"former_keys_file" doc:"File that holds keys.former_keys."`
	SigningAlgorithm  Algorithm `yaml:"signing_algorithm" doc:"Algorithm of the first signing keys for ID tokens, JWT access tokens and logout tokens, made at the first start: ES256, ES384, ES512, RS256, RS384, RS512, PS256, PS384 or PS512. Afterwards tokenserver keys algorithm changes it."`
	RSABits           int       `yaml:"rsa_bits" doc:"Size of new RSA signing keys: 2048 to 4096."`
}

// Algorithm is a signature algorithm (RFC 7518 §3.1), one of keys.Algorithms.
type Algorithm string

// PushConfig says where the push services are.
type PushConfig struct {
	APNsProductionURL  string        `yaml:"apns_production_url" doc:"Base address of APNs for app versions in production."`
	APNsDevelopmentURL string        `yaml:"apns_development_url" doc:"Base address of APNs for app versions with apns_development."`
	APNsCAFile         string        `yaml:"apns_ca_file" doc:"PEM file with the certificate authorities of APNs, for a proxy or a stand-in. Empty: those of the system."`
	FCMEndpoint        string        `yaml:"fcm_endpoint" doc:"Base address of FCM HTTP v1."`
	Timeout            time.Duration `yaml:"timeout" doc:"Budget of sending one push message, retries included."`
}

// OutboundConfig says which private addresses the server may call.
type OutboundConfig struct {
	AllowPrivate AllowPrivateConfig `yaml:"allow_private"`
}

// AllowPrivateConfig lists networks by purpose. Private, loopback and link-local addresses are refused otherwise.
type AllowPrivateConfig struct {
	Push     []netip.Prefix `yaml:"push" doc:"Private networks in which push services may be."`
	Callback []netip.Prefix `yaml:"callback" doc:"Private networks in which callbacks that are not configured one by one may be; a configured callback may be anywhere."`
	JWKS     []netip.Prefix `yaml:"jwks" doc:"Private networks in which the JWK sets of clients may be. A set on a loopback address that is allowed here may be fetched over plain http."`
	Provider []netip.Prefix `yaml:"provider" doc:"Private networks in which identity providers and their metadata, keys and user information may be."`
	Hook     []netip.Prefix `yaml:"hook" doc:"Private networks in which the scope verification service, web hooks and back-channel logout addresses may be."`
	SMS      []netip.Prefix `yaml:"sms" doc:"Private networks in which SMS gateways may be."`
}

// MobileAuthConfig has the limits of mobile authentication.
type MobileAuthConfig struct {
	MaxMessageLength       int           `yaml:"max_message_length" doc:"Longest message of a transaction, in Unicode code points."`
	MaxSecureMessageLength int           `yaml:"max_secure_message_length" doc:"Longest secure message of a transaction, in Unicode code points."`
	MaxSigningDataBytes    int           `yaml:"max_signing_data_bytes" doc:"Longest signing data of a transaction, in bytes of UTF-8."`
	CallbackTimeout        time.Duration `yaml:"callback_timeout" doc:"Time for one call of a portal's callback."`
	AllowHTTPCallbacks     bool          `yaml:"allow_http_callbacks" doc:"Accept callbacks over plain http; refused in production."`
}

// AuditConfig is about the audit log.
type AuditConfig struct {
	Silenced           []string      `yaml:"silenced" doc:"Codes of the catalogue that are not stored; they still count in the metrics."`
	CheckpointInterval time.Duration `yaml:"checkpoint_interval" doc:"How often a signed checkpoint of the hash chain is made."`
}

// LimitsConfig has the rate limits.
type LimitsConfig struct {
	FailuresPerMinute       int `yaml:"failures_per_minute" doc:"Failed anonymous requests that one client address has each minute before it gets 429; 0: no limit."`
	AuthorizationsPerMinute int `yaml:"authorizations_per_minute" doc:"Sign-ins that one client address may begin each minute before it gets 429; 0: no limit."`
	RegistrationsPerMinute  int `yaml:"registrations_per_minute" doc:"App registrations that one client address may begin each minute; 0: no limit."`
	TextsPerMinute          int `yaml:"texts_per_minute" doc:"Text messages that one phone number gets each minute at most; 0: no limit."`
}

// PagesConfig is about what people see in a browser.
type PagesConfig struct {
	TemplateSets string `yaml:"template_sets" doc:"Folder of template sets, one folder each, that clients may choose in place of the built-in pages: see docs/templates.md. Read once, at the start. Empty: none."`
}

// LogConfig is about the log of the process, JSON lines on standard error.
type LogConfig struct {
	Level LogLevel `yaml:"level" doc:"debug, info, warn or error."`
}

// LogLevel is the least severe level that is logged.
type LogLevel string

// The log levels.
const (
	LogDebug LogLevel = "debug"
	LogInfo  LogLevel = "info"
	LogWarn  LogLevel = "warn"
	LogError LogLevel = "error"
)

// Defaults returns the configuration of a laptop.
func Defaults() Config {
	return Config{
		Environment: Development,
		DataDir:     "data",
		Listen:      ListenConfig{Public: ":7878", Console: "127.0.0.1:7879", Operations: "127.0.0.1:7880"},
		Store:       StoreConfig{MaxConns: 16, Migrate: MigrateAuto},
		Keys:        KeysConfig{SigningAlgorithm: keys.ES256, RSABits: keys.RSABits},
		Push: PushConfig{
			APNsProductionURL:  "https://api.push.apple.com",
			APNsDevelopmentURL: "https://api.sandbox.push.apple.com",
			FCMEndpoint:        "https://fcm.googleapis.com/v1",
			Timeout:            5 * time.Second,
		},
		MobileAuth: MobileAuthConfig{
			MaxMessageLength: 155, MaxSecureMessageLength: 4096, MaxSigningDataBytes: 8192,
			CallbackTimeout: 5 * time.Second,
		},
		Audit:  AuditConfig{CheckpointInterval: time.Hour},
		Limits: LimitsConfig{FailuresPerMinute: 120, AuthorizationsPerMinute: 120, RegistrationsPerMinute: 30, TextsPerMinute: 10},
		Log:    LogConfig{Level: LogInfo},
	}
}
