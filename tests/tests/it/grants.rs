//! The rights of the services' roles, compared with the statements in their source.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use feedmill_tests::kit::{Role, Stack, StackConfig};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool, raw_sql};

/// Each role, and the folder of its service.
const ROLES: [(Role, &str); 3] = [
    (Role::WriteApi, "write-api"),
    (Role::Projector, "projector"),
    (Role::ReadApi, "read-api"),
];

#[tokio::test(flavor = "multi_thread")]
async fn roles_have_the_rights_that_their_statements_use() {
    let stack = Stack::start(StackConfig::default()).await;
    let mut wrong = Vec::new();
    for (role, folder) in ROLES {
        let statements = statements(folder);
        assert!(!statements.is_empty(), "{folder}");
        let mut connection = as_role(&stack.pool, role).await;
        for statement in &statements {
            if let Err(error) = check(&mut connection, statement).await {
                wrong.push(format!("{folder}: {error}, in: {statement}"));
            }
        }
        for grant in grants(&stack.pool, role).await {
            let names = names_that_use(&stack.pool, &grant.table).await;
            let is_user = |one: &&String| names.iter().any(|name| one.contains(name));
            let mut users = statements.iter().filter(is_user);
            if !is_used(&mut connection, role, &grant, &mut users).await {
                let Grant {
                    privilege,
                    schema,
                    table,
                } = grant;
                wrong.push(format!(
                    "{folder}: no statement needs {privilege} on {schema}.{table}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_cannot_create_anything_but_the_projector_its_schemas() {
    let stack = Stack::start(StackConfig::default()).await;
    for (role, _) in ROLES {
        let rights: Vec<String> = sqlx::query_scalar(
            "SELECT privilege FROM unnest(ARRAY['CONNECT', 'CREATE', 'TEMPORARY']) AS privilege
             WHERE has_database_privilege($1, current_database(), privilege)
             UNION ALL
             SELECT 'CREATE in ' || nspname FROM pg_namespace
             WHERE has_schema_privilege($1, oid, 'CREATE') AND pg_get_userbyid(nspowner) <> $1
             ORDER BY 1",
        )
        .bind(role.name())
        .fetch_all(&stack.pool)
        .await
        .expect("the rights");
        let expected: &[&str] = match role {
            Role::Projector => &["CONNECT", "CREATE"],
            Role::WriteApi | Role::ReadApi => &["CONNECT"],
        };
        assert_eq!(rights, expected, "{role:?}");
    }
}

#[derive(Debug)]
struct Grant {
    schema: String,
    table: String,
    privilege: String,
}

/// The rights of a role on tables, and columns of tables, that are not its own.
async fn grants(pool: &PgPool, role: Role) -> Vec<Grant> {
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT nspname::text, relname::text, privilege
         FROM pg_class
         JOIN pg_namespace ON pg_namespace.oid = relnamespace
         CROSS JOIN LATERAL (
             SELECT grantee, privilege_type FROM aclexplode(relacl)
             UNION ALL
             SELECT grantee, format('%s (%I)', privilege_type, attname)
             FROM pg_attribute, aclexplode(attacl) WHERE attrelid = pg_class.oid
         ) AS granted (grantee, privilege)
         WHERE grantee = $1::regrole AND relowner <> grantee
         ORDER BY 1, 2, 3",
    )
    .bind(role.name())
    .fetch_all(pool)
    .await
    .expect("the rights");
    let grant = |(schema, table, privilege)| Grant {
        schema,
        table,
        privilege,
    };
    rows.into_iter().map(grant).collect()
}

/// The name of a table, and those of the functions that use it, also through others. They run with the rights of their caller.
async fn names_that_use(pool: &PgPool, table: &str) -> Vec<String> {
    let functions: Vec<(String, String)> = sqlx::query_as(
        "SELECT proname::text, prosrc FROM pg_proc
         JOIN pg_namespace ON pg_namespace.oid = pronamespace
         WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'",
    )
    .fetch_all(pool)
    .await
    .expect("the functions");
    let mut names = vec![table.to_owned()];
    let mut next = 0;
    while next < names.len() {
        for (function, source) in &functions {
            if source.contains(&names[next]) && !names.contains(function) {
                names.push(function.clone());
            }
        }
        next += 1;
    }
    names
}

/// Whether some statement is refused without the right.
async fn is_used(
    connection: &mut PgConnection,
    role: Role,
    Grant {
        schema,
        table,
        privilege,
    }: &Grant,
    statements: &mut dyn Iterator<Item = &String>,
) -> bool {
    let revoke = format!(
        "RESET ROLE; REVOKE {privilege} ON {schema}.{table} FROM {role}; SET ROLE {role}",
        role = role.name()
    );
    let grant = format!(
        "RESET ROLE; GRANT {privilege} ON {schema}.{table} TO {role}; SET ROLE {role}",
        role = role.name()
    );
    run(connection, revoke).await.expect("the right is revoked");
    let mut used = false;
    for statement in statements {
        used = check(connection, statement).await.is_err();
        if used {
            break;
        }
    }
    run(connection, grant)
        .await
        .expect("the right is granted again");
    used
}

/// A connection with the rights of the role, which finds the tables of all schemas.
async fn as_role(pool: &PgPool, role: Role) -> PgConnection {
    let options = pool.connect_options();
    let mut connection = PgConnection::connect_with(&options)
        .await
        .expect("a connection");
    let schemas: Vec<String> = sqlx::query_scalar(
        "SELECT quote_ident(nspname) FROM pg_namespace
         WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'write') ORDER BY 1",
    )
    .fetch_all(&mut connection)
    .await
    .expect("the schemas");
    let sql = format!(
        "SET search_path = {}; SET ROLE {}",
        schemas.join(", "),
        role.name()
    );
    run(&mut connection, sql).await.expect("the role");
    connection
}

/// Plans a statement, and checks the rights that it needs, as executing it would. Nothing is executed.
async fn check(connection: &mut PgConnection, statement: &str) -> sqlx::Result<()> {
    run(connection, format!("PREPARE checked AS {statement}")).await?;
    let count: i32 = sqlx::query_scalar(
        "SELECT coalesce(cardinality(parameter_types), 0) FROM pg_prepared_statements WHERE name = 'checked'",
    )
    .fetch_one(&mut *connection)
    .await?;
    let arguments = vec!["NULL"; count as usize].join(", ");
    let arguments = if count == 0 {
        arguments
    } else {
        format!("({arguments})")
    };
    let explained = run(connection, format!("EXPLAIN EXECUTE checked {arguments}")).await;
    run(connection, "DEALLOCATE checked".to_owned()).await?;
    explained
}

async fn run(connection: &mut PgConnection, sql: String) -> sqlx::Result<()> {
    raw_sql(AssertSqlSafe(sql))
        .execute(connection)
        .await
        .map(drop)
}

/// The checked statements of a service: those of `.sqlx` whose names are in its source.
fn statements(folder: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut names = BTreeSet::new();
    for file in files(&root.join(folder).join("src")) {
        let source = fs::read_to_string(file).unwrap_or_default();
        let comments = source.match_indices("/* ");
        names.extend(comments.filter_map(|(at, _)| name_of(&source[at..])));
    }
    let queries = files(&root.join(".sqlx")).into_iter().map(|file| {
        let text = fs::read_to_string(file).expect("a description of a statement");
        let query: Value = serde_json::from_str(&text).expect("JSON");
        query["query"].as_str().expect("the query").to_owned()
    });
    let is_used = |sql: &String| name_of(sql).is_some_and(|name| names.contains(&name));
    queries
        .filter(is_used)
        .filter(|sql| is_planned(sql))
        .collect()
}

/// `a.b` of `/* a.b */ …`.
fn name_of(sql: &str) -> Option<String> {
    let (name, _) = sql.trim_start().strip_prefix("/* ")?.split_once(" */")?;
    let is_part = |byte: u8| byte.is_ascii_lowercase() || matches!(byte, b'.' | b'_');
    (name.contains('.') && name.bytes().all(is_part)).then(|| name.to_owned())
}

/// Not a command such as SET, which needs no rights on tables.
fn is_planned(sql: &str) -> bool {
    let text = sql
        .split_once("*/")
        .map_or("", |(_, text)| text.trim_start());
    let mut planned = ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"].into_iter();
    planned.any(|verb| text.starts_with(verb))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}
