// JDBC: search, filters, lists, a join and a streamed answer. Run it without a build: java -cp postgresql.jar Search.java

import java.sql.Array;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Properties;

public class Search {
    private static final String HITS = """
        SELECT p.name, p.price, p.category
        FROM socle.search('manual', ?, filter => ?::jsonb, result_limit => ?) AS s
        JOIN product AS p ON p.id = (s.source_key ->> 'id')::bigint
        ORDER BY s.score DESC""";

    // In the target list, where each row is sent before the next one is made.
    private static final String ANSWER = """
        SELECT (a).number, (a).sentence, (a).declined
        FROM (SELECT socle.answer_stream('manual', ?, max_sentences => 2) AS a) AS answer""";

    private record Hit(String name, String price, String category) {}

    // The driver reads no environment. prepareThreshold=0: statements prepared on the server would stay behind in a pooler.
    private static Connection connect() throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("user", System.getenv("PGUSER"));
        properties.setProperty("prepareThreshold", "0");
        String place = System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/" + System.getenv("PGDATABASE");
        return DriverManager.getConnection("jdbc:postgresql://" + place, properties);
    }

    // A filter is a value, whatever a user has entered.
    private static List<Hit> hits(Connection connection, String query, String filter, int limit) throws SQLException {
        List<Hit> hits = new ArrayList<>();
        try (PreparedStatement statement = connection.prepareStatement(HITS)) {
            statement.setString(1, query);
            statement.setString(2, filter);
            statement.setInt(3, limit);
            try (ResultSet rows = statement.executeQuery()) {
                while (rows.next()) {
                    hits.add(new Hit(rows.getString(1), rows.getString(2), rows.getString(3)));
                }
            }
        }
        return hits;
    }

    private static void embed(Connection connection, String[] texts) throws SQLException {
        String sql = "SELECT v::real[] FROM unnest(socle.embed(?)) WITH ORDINALITY AS u (v, n) ORDER BY n";
        // A list with its type: setString("{a,b}") would pass one text.
        Array list = connection.createArrayOf("text", texts);
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            statement.setArray(1, list);
            try (ResultSet rows = statement.executeQuery()) {
                int count = 0;
                int length = 0;
                while (rows.next()) {
                    count++;
                    length = ((Float[]) rows.getArray(1).getArray()).length;
                }
                System.out.println("list: " + count + " vectors of " + length + " numbers");
            }
        }
    }

    // With a fetch size, and without auto-commit, the driver asks for one row at a time.
    private static void answer(Connection connection, String question) throws SQLException {
        connection.setAutoCommit(false);
        try (PreparedStatement statement = connection.prepareStatement(ANSWER)) {
            statement.setFetchSize(1);
            statement.setString(1, question);
            try (ResultSet rows = statement.executeQuery()) {
                while (rows.next()) {
                    String sentence = rows.getString(2);
                    System.out.println(sentence == null
                        ? "answer declined: " + rows.getBoolean(3)
                        : "answer " + rows.getInt(1) + ": " + sentence);
                }
            }
        }
        connection.commit();
    }

    public static void main(String[] arguments) throws SQLException {
        try (Connection connection = connect()) {
            List<Hit> hits = hits(connection, "How do I get rid of limescale in the kettle?", null, 3);
            System.out.println("search: " + hits.get(0).name());

            // A library for JSON writes this in an application; what users enter must be escaped as JSON, not as SQL.
            List<String> names = new ArrayList<>();
            for (Hit hit : hits(connection, "Lampe", "{\"category\": [\"lamp\", \"fan\"], \"price\": {\"<=\": 50}}", 3)) {
                names.add(hit.name());
            }
            Collections.sort(names);
            System.out.println("filter: " + String.join(", ", names));
            String hostile = "{\"category\": \"lamp'; DROP TABLE product; --\"}";
            System.out.println("hostile filter: " + hits(connection, "lamp", hostile, 3).size() + " hits");

            embed(connection, new String[] {"five years", "cinq ans"});

            Hit best = hits(connection, "grind beans", null, 1).get(0);
            System.out.println("join: " + best.name() + ", " + best.category() + ", " + best.price());

            answer(connection, "How long is the warranty of the refrigerator?");
        }
    }
}
