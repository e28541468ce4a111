INSERT INTO socle.model_package_part (package, file_number, part_number, bytes) VALUES ($1, $2, $3, $4)
